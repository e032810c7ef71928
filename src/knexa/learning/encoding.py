"""Texts to token batches: a prompt that is masked, a target that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

#: Target value that cross-entropy ignores (PyTorch's convention).
IGNORED = -100
CPU = torch.device("cpu")
#: Batches are cut from pools of this many batches, sorted by length.
POOL = 4


@dataclass(frozen=True, slots=True)
class SoftTarget:
    """The k most likely tokens at each of some tokens, and their log-probabilities (nats): ``ids`` and ``log`` [..., tokens, k]."""

    ids: torch.Tensor
    log: torch.Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """``ids`` of prompt and target; the first ``prompt`` of them are masked in the loss (Eq. 2: only the answer is distilled).

    ``soft``: what a teacher found likely at each token of the target, where it said so. ``cut``: whether part of the text is missing.
    """

    ids: tuple[int, ...]
    prompt: int
    soft: SoftTarget | None = None
    cut: bool = False


def beginning(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before every text: the beginning-of-text token that Gemma and Llama were trained with, or nothing."""
    added = tokenizer("")["input_ids"]
    return added[:1] if added and added[0] == tokenizer.bos_token_id != tokenizer.eos_token_id else []


def encode(tokenizer: Any, prompt: str, target: str, longest: int) -> Example:
    """Encode one text; the target ends with the end-of-text token.

    Cut to ``longest`` tokens: of the prompt the beginning goes first, down to half of that; then of the target the end.
    """
    first = beginning(tokenizer)
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    target_ids = [*tokenizer(target, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    room = longest - len(first)
    kept = min(len(prompt_ids), max(room - len(target_ids), room // 2))
    ids = (prompt_ids[len(prompt_ids) - kept :] + target_ids)[:room]
    return Example((*first, *ids), len(first) + kept, cut=len(ids) < len(prompt_ids) + len(target_ids))


@dataclass(frozen=True, slots=True)
class Batch:
    """``ids``, ``mask``, ``labels``: int64 tensors [examples, tokens], padded on the right.

    ``soft``: [examples, tokens, k], of the token at the same place; its ``log`` is -inf where there is none. None if there is none at all.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    soft: SoftTarget | None = None


def collate(examples: Sequence[Example], pad: int, device: torch.device = CPU) -> Batch:
    width = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        labels[row, example.prompt : length] = ids[row, example.prompt : length]
    soft = _collated_soft(examples, width)
    if soft is not None:
        soft = SoftTarget(soft.ids.to(device), soft.log.to(device))
    return Batch(ids.to(device), mask.to(device), labels.to(device), soft)


def _collated_soft(examples: Sequence[Example], width: int) -> SoftTarget | None:
    most = max((example.soft.ids.shape[1] for example in examples if example.soft is not None), default=0)
    if most == 0:
        return None
    ids = torch.zeros((len(examples), width, most), dtype=torch.int64)
    log = torch.full(ids.shape, -torch.inf)
    for row, example in enumerate(examples):
        if example.soft is not None:
            place = slice(example.prompt, len(example.ids)), slice(example.soft.ids.shape[1])
            ids[row][place], log[row][place] = example.soft.ids.long(), example.soft.log.float()
    return SoftTarget(ids, log)


def endless_batches(
    examples: Sequence[Example], size: int, pad: int, rng: np.random.Generator, device: torch.device = CPU
) -> Iterator[Batch]:
    """Shuffled passes over ``examples``, for ever. Examples of similar length share a batch, so little is padding.

    Raises ValueError at the first batch if there are none.
    """
    if not examples:
        raise ValueError("there are no examples to make batches of")
    while True:
        order = [int(index) for index in rng.permutation(len(examples))]
        order += order[: -len(order) % size]  # the last batch is filled up from the pass's own start
        pools = [order[start : start + POOL * size] for start in range(0, len(order), POOL * size)]
        for pool in pools:
            pool.sort(key=lambda index: len(examples[index].ids))
            batches = [pool[start : start + size] for start in range(0, len(pool), size)]
            for index in rng.permutation(len(batches)):
                yield collate([examples[one] for one in batches[index]], pad, device)
