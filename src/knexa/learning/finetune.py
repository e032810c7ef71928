"""Phase 1: the local update, a plain PyTorch loop over LoRA parameters; and the losses it is judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch.nn import functional

from knexa.learning.encoding import CPU, IGNORED, Batch, Example, collate

BETAS = (0.9, 0.98)
EPSILON = 1e-6
LARGEST_GRADIENT = 1.0


class CausalLM(Protocol):
    """A causal language model of transformers, or an :class:`~knexa.learning.adapter.Adapter` on one."""

    def __call__(self, **inputs: Any) -> Any:
        """With ``input_ids``, ``attention_mask``, ``use_cache``; what it returns has ``logits`` [batch, tokens, vocabulary]."""

    def get_output_embeddings(self) -> Any:
        """The layer that makes logits of the last hidden states."""


def answer_logits(model: CausalLM, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [answers, vocabulary], float32, of every unmasked token of a batch, row by row; and those tokens [answers].

    The last layer, which a large vocabulary makes the dearest of all in time and memory, is asked about nothing else.
    """
    wanted = is_answer(batch)
    before = functional.pad(wanted, (0, 1))  # the token before it says what it is likely to be
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][before],))
    try:
        logits: torch.Tensor = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits
    finally:
        hook.remove()
    return logits.float(), batch.labels[:, 1:][wanted]


def is_answer(batch: Batch) -> torch.Tensor:
    """[examples, tokens - 1]: whether the token after the first, second, ... of each row is unmasked."""
    return batch.labels[:, 1:] != IGNORED


def cross_entropy(model: CausalLM, batch: Batch) -> torch.Tensor:
    """Mean token-level cross-entropy (nats) on the unmasked tokens of a batch."""
    return functional.cross_entropy(*answer_logits(model, batch))


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


def train_step(model: CausalLM, batches: Iterator[Batch], accumulate: int) -> float:
    """Accumulate gradients of ``accumulate`` batches; returns their mean loss (nats a token)."""
    total = 0.0
    for _ in range(accumulate):
        loss = cross_entropy(model, next(batches)) / accumulate
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


@torch.inference_mode()
def evaluation_loss(model: CausalLM, examples: Sequence[Example], pad: int, batch_size: int = 64, device: torch.device = CPU) -> float:
    """Cross-entropy in nats a token over all unmasked tokens of ``examples`` (not a mean of batch means)."""
    total, tokens = 0.0, 0
    ordered = sorted(examples, key=lambda example: len(example.ids))
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size], pad, device)
        logits, answers = answer_logits(model, batch)
        total += float(functional.cross_entropy(logits, answers, reduction="sum"))
        tokens += len(answers)
    return total / max(tokens, 1)


@torch.inference_mode()
def example_losses(model: CausalLM, examples: Sequence[Example], pad: int, batch_size: int = 64, device: torch.device = CPU) -> list[float]:
    """Cross-entropy in nats a token of each of ``examples`` by itself, in their order."""
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].ids))
    losses = [0.0] * len(examples)
    for start in range(0, len(order), batch_size):
        few = order[start : start + batch_size]
        batch = collate([examples[index] for index in few], pad, device)
        each = functional.cross_entropy(*answer_logits(model, batch), reduction="none")
        for index, some in zip(few, torch.split(each, is_answer(batch).sum(dim=1).tolist()), strict=True):
            losses[index] = float(some.sum()) / max(len(some), 1)
    return losses
