"""What does folding LoRA into the weights buy on small models?

Times one training step (8 texts of the bank) of each embedded backbone in three ways, alternating in one process: PEFT's own
layers, our folded adapter at the same rank, and full fine-tuning of the backbone as the floor that folding can reach. Appends
medians and ratios to results/folded_lora.jsonl. Run ``python benchmarks/folded_lora.py [--steps N]``.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from knexa.evaluation.bank.splits import load_bank
from knexa.learning.adapter import ALPHA_OVER_RANK, Adapter
from knexa.learning.backbone import EMBEDDED, load_backbone
from knexa.learning.encoding import Batch, encode, endless_batches
from knexa.learning.finetune import CausalLM, descend, new_optimiser, train_step
from knexa.learning.learner import use_threads
from knexa.participant.measure import texts_of
from knexa.randomness import stream
from rows import append, row

SHARE, BATCH = 0.03, 8


def stepper(model: CausalLM, parameters: list[torch.nn.Parameter], batches: Iterator[Batch]) -> Callable[[], float]:
    """A function that takes one step and returns its seconds."""
    optimiser = new_optimiser(parameters)

    def step() -> float:
        began = time.perf_counter()
        train_step(model, batches, accumulate=1)
        descend(optimiser, 1e-5)
        return time.perf_counter() - began

    return step


def medians(ways: dict[str, Callable[[], float]], times: int) -> dict[str, float]:
    """Median milliseconds of each way, in turn so many ``times`` after one turn to warm up."""
    for once in ways.values():
        once()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(times):
        for way, once in ways.items():
            seconds[way].append(once())
    return {f"{way}_ms": round(1000 * median(found), 2) for way, found in seconds.items()}


def measure(name: str, steps: int) -> dict[str, float]:
    backbone = load_backbone(f"embedded:{name}")
    adapter = Adapter(backbone, SHARE)
    adapter.reset(0)
    texts = [encode(backbone.tokenizer, *text, 256) for text in texts_of(load_bank().private[::5])]

    def batches() -> Iterator[Batch]:
        return endless_batches(texts, BATCH, backbone.tokenizer.pad_token_id, stream(0))

    full = load_backbone(f"embedded:{name}").model.requires_grad_(True)
    config = LoraConfig(task_type="CAUSAL_LM", r=adapter.rank, lora_alpha=ALPHA_OVER_RANK * adapter.rank, target_modules=adapter.targets())
    peft: Any = get_peft_model(load_backbone(f"embedded:{name}").model, config)
    ways = {
        "peft": stepper(peft, [p for p in peft.parameters() if p.requires_grad], batches()),
        "folded": stepper(adapter, adapter.parameters(), batches()),
        "full": stepper(full, list(full.parameters()), batches()),
    }
    return {"rank": adapter.rank, **medians(ways, steps)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=15)
    arguments = parser.parse_args()
    use_threads(1)
    figures = {}
    for embedded in EMBEDDED:
        found = measure(embedded, arguments.steps)
        figures[embedded] = {**found, "peft_over_folded": round(found["peft_ms"] / found["folded_ms"], 2)}
        print(embedded, figures[embedded], flush=True)
    append(row("folded_lora", seed=0, batch=BATCH, steps=arguments.steps, share=SHARE, backbones=figures))
