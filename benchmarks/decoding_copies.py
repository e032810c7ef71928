"""What do the copies cost that a step of decoding need not make?

Three products as PyTorch has them by itself, and as ours has them, alternating in one process on one thread, in the sizes of SmolLM2-135M:

- the head on the last tokens of 8 prompts of 127: a view of all hidden states, and a block of their own (``learning/prefill.py``);
- the choice of tokens for 32 rows, greedy and drawn: all logits at once, and a few rows at a time (``learning/generation.py``);
- scores of 32 rows of 180 tokens: keys as a part of a longer cache, and copied to a block first (``learning/attention.py``).

Appends median milliseconds to results/decoding_copies.jsonl. Run ``python benchmarks/decoding_copies.py [--times N]``.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from folded_lora import medians
from knexa.learning import generation
from knexa.learning.learner import use_threads
from rows import append, row

WORDS, WIDTH, ROWS = 49_152, 576, 32


def timed(work: Callable[[], Any]) -> Callable[[], float]:
    @torch.inference_mode()
    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return once


def choosing(logits: torch.Tensor, temperature: float, most: int) -> Callable[[], Any]:
    drawn = torch.rand(len(logits), 1)

    def work() -> None:
        generation.CHOSEN_FROM = most
        generation.choose(logits, temperature, drawn)

    return work


def measure(dtype: torch.dtype, times: int) -> dict[str, float]:
    random = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random).to(dtype)

    hidden, head, logits = numbers(8, 127, WIDTH), numbers(WORDS, WIDTH), numbers(ROWS, WORDS)
    query, keys, last, usual = numbers(ROWS, 3, 3, 64), numbers(ROWS, 3, 240, 64)[:, :, :180], torch.tensor([-1]), generation.CHOSEN_FROM
    works: dict[str, Callable[[], Any]] = {
        "head_view": lambda: functional.linear(hidden[:, -1:], head),
        "head_block": lambda: functional.linear(hidden[:, last], head),
        "greedy_at_once": choosing(logits, 0.0, logits.numel()),
        "greedy_in_parts": choosing(logits, 0.0, usual),
        "drawn_at_once": choosing(logits, 0.4, logits.numel()),
        "drawn_in_parts": choosing(logits, 0.4, usual),
        "keys_part": lambda: query @ keys.transpose(-1, -2),
        "keys_block": lambda: query @ keys.contiguous().transpose(-1, -2),
    }
    return medians({name: timed(work) for name, work in works.items()}, times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=15)
    arguments = parser.parse_args()
    use_threads(1)
    figures = {str(dtype).removeprefix("torch."): measure(dtype, arguments.times) for dtype in (torch.bfloat16, torch.float32)}
    print(figures, flush=True)
    append(row("decoding_copies", seed=0, times=arguments.times, milliseconds=figures))
