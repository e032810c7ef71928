"""Phase 1: the local update, a plain PyTorch loop over LoRA parameters; and the losses it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from knexa.learning.encoding import CPU, IGNORED, Batch, Example, collate

BETAS = (0.9, 0.98)
EPSILON = 1e-6
LARGEST_GRADIENT = 1.0

#: A model's forward pass: called with ``input_ids``, ``attention_mask``, ``use_cache``; has ``logits`` [batch, tokens, vocabulary].
Forward = Callable[..., Any]


def cross_entropy(forward: Forward, batch: Batch) -> torch.Tensor:
    """Mean token-level cross-entropy (nats) on the unmasked tokens of a batch."""
    logits = forward(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), batch.labels[:, 1:].flatten(), ignore_index=IGNORED)


def new_optimiser(parameters: Sequence[torch.nn.Parameter]) -> torch.optim.AdamW:
    """AdamW with the paper's constants; the learning rate is set at every step."""
    return torch.optim.AdamW(parameters, lr=0.0, betas=BETAS, eps=EPSILON, weight_decay=0.0)


def warmed_up(rate: float, step: int, warmup_steps: int) -> float:
    """Linear warm-up: step 0 already learns a little, step ``warmup_steps`` at the full rate."""
    return rate * min(1.0, (step + 1) / max(warmup_steps, 1))


def descend(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """One optimiser step on the accumulated gradients, clipped to norm :data:`LARGEST_GRADIENT`, then forget them."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def train_step(forward: Forward, batches: Iterator[Batch], accumulate: int) -> float:
    """Accumulate gradients of ``accumulate`` batches; returns their mean loss (nats a token)."""
    total = 0.0
    for _ in range(accumulate):
        loss = cross_entropy(forward, next(batches)) / accumulate
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


@torch.inference_mode()
def evaluation_loss(forward: Forward, examples: Sequence[Example], pad: int, batch_size: int = 64, device: torch.device = CPU) -> float:
    """Cross-entropy in nats a token over all unmasked tokens of ``examples`` (not a mean of batch means)."""
    total, tokens = 0.0, 0
    ordered = sorted(examples, key=lambda example: len(example.ids))
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size], pad, device)
        counted = int((batch.labels[:, 1:] != IGNORED).sum())
        total += float(cross_entropy(forward, batch)) * counted
        tokens += counted
    return total / max(tokens, 1)


@torch.inference_mode()
def example_losses(
    forward: Forward, examples: Sequence[Example], pad: int, batch_size: int = 64, device: torch.device = CPU
) -> list[float]:
    """Cross-entropy in nats a token of each of ``examples`` by itself, in their order."""
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].ids))
    losses = [0.0] * len(examples)
    for start in range(0, len(order), batch_size):
        few = order[start : start + batch_size]
        batch = collate([examples[index] for index in few], pad, device)
        logits = forward(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits[:, :-1].float()
        labels = batch.labels[:, 1:]
        each = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none").sum(dim=1)
        counted = (labels != IGNORED).sum(dim=1).clamp(min=1)
        for index, loss in zip(few, (each / counted).tolist(), strict=True):
            losses[index] = loss
    return losses
