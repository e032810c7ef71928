"""How fast do training and generation go on a real model, beside a plain transformers loop and beside what the machine allows?

In one process, on one model and one device, alternating, medians of ``--repeats``:

- training: one step of 8 texts, PEFT's own LoRA layers at the same rank in float32 and, with ``--dtype bfloat16``, under autocast, with the
  loss of masked labels, and ours;
- generation: answers to HumanEval's prompts, ``generate`` in batches in the order of the file, and ours; first without stop strings,
  so that both write the same number of tokens, then the job as a federation has it (an answer ends with its function).

Floors: tokens/s if every step only read the weights once (memory bandwidth, measured by a copy), and if it only multiplied (measured by a
matrix product of that kind). Appends to results/model_speed.jsonl. Run ``python benchmarks/model_speed.py [--backbone B] [--device D]``.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from knexa.config import LocalConfig, ModelConfig
from knexa.evaluation.problem_files import load_human_eval
from knexa.learning.adapter import ALPHA_OVER_RANK
from knexa.learning.backbone import Backbone, load_backbone
from knexa.learning.encoding import Batch, encode, endless_batches
from knexa.learning.finetune import descend, new_optimiser, train_step
from knexa.learning.learner import Learner, use_threads
from knexa.randomness import stream
from rows import append, row

SHARE, TEXTS, LONGEST = 0.025, 8, 256


def synchronised(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that ``work`` takes, and what it returns."""
    began = time.perf_counter()
    found = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began, found


def training(backbone: str, device: str, dtype: str, repeats: int) -> dict[str, Any]:
    """Tokens a second, padding not counted, of PEFT's layers and of ours on the same batches."""
    problems = load_human_eval()[:64]
    ours = Learner(backbone, LocalConfig(trainable_share=SHARE), ModelConfig(dtype=dtype, longest=LONGEST), device)
    ours.reset(0)
    plain = load_backbone(backbone, device, "float32")
    config = LoraConfig(task_type="CAUSAL_LM", r=ours.rank, lora_alpha=ALPHA_OVER_RANK * ours.rank, target_modules=ours._adapter.targets())
    peft: Any = get_peft_model(plain.model, config)
    peft.train()
    trained = [p for p in peft.parameters() if p.requires_grad]
    texts = [encode(plain.tokenizer, problem.prompt, problem.solution, LONGEST) for problem in problems]

    def batches() -> Iterator[Batch]:
        return endless_batches(texts, TEXTS, plain.tokenizer.pad_token_id, stream(0), plain.device)

    def plain_step(coming: Iterator[Batch], cast: bool) -> None:
        batch = next(coming)
        with torch.autocast(plain.device.type, torch.bfloat16, enabled=cast):
            logits = peft(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits
        torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), batch.labels[:, 1:].flatten()).backward()

    ways: dict[str, tuple[Callable[[Iterator[Batch]], Any], list[Any]]] = {
        "plain_float32": (partial(plain_step, cast=False), trained),
        **({"plain_autocast": (partial(plain_step, cast=True), trained)} if dtype == "bfloat16" else {}),
        "ours": (lambda coming: train_step(ours._adapter, coming, 1), ours._adapter.parameters()),
    }
    streams = {name: batches() for name in ways}
    optimisers = {name: new_optimiser(parameters) for name, (_, parameters) in ways.items()}
    counted = batches()
    tokens, seconds = [], {name: [] for name in ways}
    for _ in range(repeats + 1):
        tokens.append(int(next(counted).mask.sum()))
        for name, (learn, _) in ways.items():

            def step(name: str = name, learn: Any = learn) -> None:
                learn(streams[name])
                descend(optimisers[name], 1e-5)

            seconds[name].append(synchronised(plain.device, step)[0])
    speeds = {name: round(sum(tokens[1:]) / sum(found[1:]), 1) for name, found in seconds.items()}
    best = max(speed for name, speed in speeds.items() if name != "ours")
    return {"rank": ours.rank, "tokens_a_second": speeds, "ours_over_best_plain": round(speeds["ours"] / best, 2)}


def generation(backbone: str, device: str, dtype: str, repeats: int, prompts: int, new: int, batch: int) -> dict[str, Any]:
    """Tokens a second of ``generate`` in float32 and in ``dtype``, and of ours; without stop strings and with them."""
    ours = Learner(backbone, LocalConfig(trainable_share=SHARE), ModelConfig(dtype=dtype), device)
    ours.reset(0)
    texts = [problem.prompt for problem in load_human_eval()[:prompts]]
    plain = {name: load_backbone(backbone, device, name) for name in dict.fromkeys(("float32", dtype))}

    def whole(one: Backbone) -> int:
        model: Any = one.model
        total = 0
        for start in range(0, len(texts), batch):
            given = one.tokenizer(texts[start : start + batch], return_tensors="pt", padding=True, add_special_tokens=False).to(one.device)
            written = model.generate(**given, max_new_tokens=new, do_sample=False, pad_token_id=one.tokenizer.pad_token_id)
            answers = written[:, given["input_ids"].shape[1] :]
            ended = (answers == one.tokenizer.eos_token_id).cumsum(1)
            total += int((ended - (answers == one.tokenizer.eos_token_id).long() == 0).sum())
        return total

    def answered(stop: Any) -> int:
        found = ours.answer(texts, max_new_tokens=new, **({} if stop is None else {"stop": stop}))
        return sum(len(ours._tokenizer(few[0].text, add_special_tokens=False)["input_ids"]) for few in found)

    jobs: dict[str, Callable[[], int]] = {f"plain_{name}": lambda one=one: whole(one) for name, one in plain.items()}
    jobs |= {"ours": lambda: answered(()), "ours_with_stop_strings": lambda: answered(None)}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    written: dict[str, int] = {}
    where = next(iter(plain.values())).device
    for _ in range(repeats + 1):
        for name, job in jobs.items():
            taken, written[name] = synchronised(where, job)
            seconds[name].append(taken)
    medians = {name: median(found[1:] or found) for name, found in seconds.items()}
    speeds = {name: round(written[name] / medians[name], 1) for name in jobs}
    best = max(speed for name, speed in speeds.items() if name.startswith("plain"))
    quickest = min(seconds for name, seconds in medians.items() if name.startswith("plain"))
    return {
        "prompts": len(texts),
        "new_tokens": new,
        "plain_batch": batch,
        "tokens_a_second": speeds,
        "job_s": {name: round(found, 2) for name, found in medians.items()},
        "ours_over_best_plain": round(speeds["ours"] / best, 2),
        "job_over_quickest_plain": round(quickest / medians["ours_with_stop_strings"], 2),
    }


@torch.inference_mode()
def floors(backbone: str, device: str, dtype: str, rows: int) -> dict[str, float]:
    """Tokens a second of ``rows`` rows if a step were only reading the weights, or only multiplying by them."""
    one = load_backbone(backbone, device, dtype)
    size = sum(p.numel() * p.element_size() for p in one.model.parameters())
    big = torch.zeros(max(size // 2, 64 * 2**20), dtype=torch.uint8, device=one.device)
    copies = [synchronised(one.device, lambda: big.clone())[0] for _ in range(7)]
    bandwidth = 2 * len(big) / median(copies[2:])
    left, right = (torch.randn(*shape, device=one.device).to(one.dtype) for shape in ((rows, 1536), (1536, 1536)))
    times = [synchronised(one.device, lambda: [left @ right for _ in range(20)])[0] for _ in range(7)]
    flops = 20 * 2 * rows * 1536**2 / median(times[2:])
    return {
        "bandwidth_gb_s": round(bandwidth / 1e9, 1),
        "gflops": round(flops / 1e9, 1),
        "reading_weights": round(rows * bandwidth / size),
        "multiplying": round(flops / (2 * one.parameters)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="package:smollm2-135m")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--new", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--parts", default="floor,generation,training")
    given = parser.parse_args()
    use_threads(given.threads)
    model = given.backbone, given.device, given.dtype
    parts: dict[str, Callable[[], Any]] = {
        "floor": lambda: floors(*model, given.batch),
        "generation": lambda: generation(*model, given.repeats, given.prompts, given.new, given.batch),
        "training": lambda: training(*model, given.repeats),
    }
    figures = {name: parts[name]() for name in given.parts.split(",")}
    where = torch.cuda.get_device_name() if load_backbone("embedded:bloom", given.device).device.type == "cuda" else "cpu"
    for name, found in figures.items():
        print(name, found, flush=True)
    append(row("model_speed", seed=0, backbone=given.backbone, dtype=given.dtype, device=where, threads=given.threads, **figures))
