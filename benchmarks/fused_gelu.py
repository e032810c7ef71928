"""What does it buy to compute GELU's tanh form in one pass, where transformers spells it out?

Times one training step (8 texts of the bank) and one reading of 64 prompts by the embedded backbones that have it, with the activation
as transformers makes it and as :func:`knexa.learning.backbone.fuse_activations` does, alternating in one process. Appends medians and
ratios to results/fused_gelu.jsonl. Run ``python benchmarks/fused_gelu.py [--steps N]``.
"""

import argparse
import time
from collections.abc import Callable

import torch
from transformers import AutoModelForCausalLM

from folded_lora import BATCH, SHARE, medians, stepper
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.adapter import Adapter
from knexa.learning.backbone import ZOO, Backbone, load_backbone
from knexa.learning.encoding import encode, endless_batches
from knexa.learning.learner import use_threads
from knexa.learning.prefill import prefill
from knexa.participant.measure import texts_of
from knexa.randomness import stream
from rows import append, row


def ways(name: str, backbone: Backbone) -> dict[str, Callable[[], float]]:
    """Functions that take a training step or read prompts once, and return their seconds."""
    tokenizer = backbone.tokenizer
    adapter = Adapter(backbone, SHARE)
    adapter.reset(0)
    texts = [encode(tokenizer, *text, 256) for text in texts_of(load_bank().private[::5])]
    prompts = sorted((tokenizer(problem.prompt)["input_ids"] for problem in load_bank().test[:64]), key=len)

    @torch.inference_mode()
    def read() -> float:
        began = time.perf_counter()
        prefill(backbone.model, prompts, tokenizer.pad_token_id)
        return time.perf_counter() - began

    return {
        f"train_{name}": stepper(adapter, adapter.parameters(), endless_batches(texts, BATCH, tokenizer.pad_token_id, stream(0))),
        f"read_{name}": read,
    }


def measure(name: str, steps: int) -> dict[str, float]:
    fused = load_backbone(f"embedded:{name}")
    as_it_comes = AutoModelForCausalLM.from_pretrained(str(ZOO / name)).requires_grad_(False).eval()
    spelled = Backbone(fused.name, fused.family, as_it_comes, fused.tokenizer, fused.context)
    found = medians(ways("spelled", spelled) | ways("fused", fused), steps)
    return found | {f"{what}_ratio": round(found[f"{what}_spelled_ms"] / found[f"{what}_fused_ms"], 2) for what in ("train", "read")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=25)
    arguments = parser.parse_args()
    use_threads(1)
    figures = {}
    for embedded in ("gpt2", "bloom"):
        figures[embedded] = measure(embedded, arguments.steps)
        print(embedded, figures[embedded], flush=True)
    append(row("fused_gelu", seed=0, batch=BATCH, steps=arguments.steps, share=SHARE, backbones=figures))
