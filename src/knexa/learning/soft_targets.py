"""Protocol ``logits``: what the teacher found likely at every token of its answers, for a student that has its tokenizer.

Only the k most likely tokens travel: their ids and log-probabilities, as safetensors. The student's loss on such a token is Hinton's
(2015, arXiv 1503.02531), T² · KL(p_T || q_T), with the teacher's p renormalised over those k and both distributions softened by T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.nn import functional

from knexa.errors import PeerError
from knexa.learning.encoding import CPU, Batch, Example, SoftTarget, collate
from knexa.learning.finetune import CausalLM, answer_logits, cross_entropy, is_answer

BATCH = 32


@torch.inference_mode()
def soft_targets(model: CausalLM, examples: Sequence[Example], pad: int, k: int, device: torch.device = CPU) -> list[SoftTarget]:
    """The ``k`` most likely tokens for every target token of each example, best first."""
    found: list[SoftTarget] = []
    for start in range(0, len(examples), BATCH):
        some = examples[start : start + BATCH]
        batch = collate(some, pad, device)
        logits, _ = answer_logits(model, batch)
        likely = torch.log_softmax(logits, dim=-1).topk(min(k, logits.shape[-1]))
        tokens, log = likely.indices.to(CPU, torch.int32), likely.values.to(CPU, torch.float16)
        counts = is_answer(batch).sum(dim=1).tolist()
        found += [SoftTarget(*one) for one in zip(torch.split(tokens, counts), torch.split(log, counts), strict=True)]
    return found


def pack(targets: Sequence[SoftTarget]) -> bytes:
    """Safetensors, in the order of ``targets``."""
    tensors = {f"ids.{place}": one.ids.contiguous() for place, one in enumerate(targets)}
    return save(tensors | {f"log.{place}": one.log.contiguous() for place, one in enumerate(targets)})


def unpack(blob: bytes, examples: Sequence[Example], vocabulary: int) -> list[Example]:
    """``examples`` with the soft targets of ``blob``, which :func:`pack` wrote for the same texts. Raises PeerError if it did not."""
    try:
        tensors = load(blob)
        targets = [SoftTarget(tensors[f"ids.{place}"], tensors[f"log.{place}"]) for place in range(len(examples))]
    except (SafetensorError, KeyError, ValueError) as error:
        raise PeerError(f"the teacher's logits cannot be read ({error}); nothing was learned from them") from error
    for example, target in zip(examples, targets, strict=True):
        _check(example, target, vocabulary)
    return [replace(example, soft=target) for example, target in zip(examples, targets, strict=True)]


def _check(example: Example, target: SoftTarget, vocabulary: int) -> None:
    tokens = len(example.ids) - example.prompt
    if target.ids.dtype != torch.int32 or target.log.dtype != torch.float16 or target.ids.ndim != 2 or target.ids.shape != target.log.shape:
        raise PeerError("the teacher's logits are not int32 ids and float16 log-probabilities of one shape; nothing was learned from them")
    if len(target.ids) != tokens or target.ids.shape[1] < 1:
        raise PeerError(
            f"the teacher's logits are for {len(target.ids)} tokens of a text that has {tokens} here: its tokenizer must be another one; "
            "nothing was learned from them"
        )
    if not torch.isfinite(target.log).all() or bool(((target.ids < 0) | (target.ids >= vocabulary)).any()):
        raise PeerError("the teacher's logits are not finite, or name tokens that do not exist; nothing was learned from them")


def taught_loss(model: CausalLM, batch: Batch, temperature: float) -> torch.Tensor:
    """Mean over the unmasked tokens of a batch: softened divergence where there are soft targets, cross-entropy (nats) elsewhere."""
    if batch.soft is None:
        return cross_entropy(model, batch)
    logits, answers = answer_logits(model, batch)
    wanted = is_answer(batch)
    ids, log = batch.soft.ids[:, 1:][wanted], batch.soft.log[:, 1:][wanted]
    softened = torch.isfinite(log).any(dim=-1)
    hard = functional.cross_entropy(logits[~softened], answers[~softened], reduction="sum")
    p = torch.log_softmax(log[softened] / temperature, dim=-1)
    q = torch.log_softmax(logits[softened] / temperature, dim=-1).gather(-1, ids[softened])
    # A text with fewer than k likely tokens is padded with -inf: such a token has no share in either sum.
    divergence = torch.where(torch.isfinite(p), p.exp() * (p - q), 0.0).sum()
    return (hard + temperature**2 * divergence) / len(answers)
