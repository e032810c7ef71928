"""Texts to token batches: a prompt that is masked, a target that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

#: Target value that cross-entropy ignores (PyTorch's convention).
IGNORED = -100
#: Batches are cut from pools of this many batches, sorted by length.
POOL = 4


@dataclass(frozen=True, slots=True)
class Example:
    """``ids`` of prompt and target; the first ``prompt`` of them are masked in the loss (Eq. 2: only the answer is distilled)."""

    ids: tuple[int, ...]
    prompt: int


def encode(tokenizer: Any, prompt: str, target: str, longest: int) -> Example:
    """Encode one text; the target ends with the end-of-text token. Cut to ``longest`` tokens from the right."""
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    target_ids = [*tokenizer(target, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return Example(tuple((prompt_ids + target_ids)[:longest]), min(len(prompt_ids), longest))


@dataclass(frozen=True, slots=True)
class Batch:
    """``ids``, ``mask``, ``labels``: int64 tensors [examples, tokens], padded on the right."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor


def collate(examples: Sequence[Example], pad: int) -> Batch:
    width = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        labels[row, example.prompt : length] = ids[row, example.prompt : length]
    return Batch(ids, mask, labels)


def endless_batches(examples: Sequence[Example], size: int, pad: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Shuffled passes over ``examples``, for ever. Examples of similar length share a batch, so little is padding."""
    while True:
        order = [int(index) for index in rng.permutation(len(examples))]
        order += order[: -len(order) % size]  # the last batch is filled up from the pass's own start
        pools = [order[start : start + POOL * size] for start in range(0, len(order), POOL * size)]
        for pool in pools:
            pool.sort(key=lambda index: len(examples[index].ids))
            batches = [pool[start : start + size] for start in range(0, len(pool), size)]
            for index in rng.permutation(len(batches)):
                yield collate([examples[one] for one in batches[index]], pad)
