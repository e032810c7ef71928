"""Phase 3: adaptive knowledge distillation (AKD, Eq. 2) on texts that a teacher wrote.

    L = (1 - alpha) * L_local(D_r) + alpha * E_{x in X_u} CE(y_s(x), p_r(. | x))

The student re-encodes the teacher's text with its own tokenizer; prompt tokens are masked. alpha grows linearly over the
federation: at first a student trusts its own data, later its peers. Ours: it grows with what there is to learn from them.
"""

from __future__ import annotations

from collections.abc import Iterator

from knexa.learning.encoding import Batch
from knexa.learning.finetune import CausalLM, cross_entropy
from knexa.learning.soft_targets import taught_loss


def alpha_at(round: int, rounds: int, start: float, end: float) -> float:
    """The linear schedule: ``start`` in round 1, ``end`` in round ``rounds``."""
    if rounds == 1:
        return start
    return start + (end - start) * (round - 1) / (rounds - 1)


def alpha_by_need(taught: int, prompts: int, start: float, end: float) -> float:
    """``start`` where there is nothing to distil, ``end`` where there is a text for each of the transfer set's ``prompts``.

    Linear in between: few texts are seen again and again in the same number of steps, and should weigh less beside the own ones.
    """
    return start + (end - start) * taught / prompts


def akd_step(
    model: CausalLM, local: Iterator[Batch], taught: Iterator[Batch], alpha: float, accumulate: int, temperature: float = 2.0
) -> float:
    """Accumulate the gradient of Eq. 2 over ``accumulate`` pairs of batches; returns the mean loss (nats a token).

    ``temperature``: for texts that came with the teacher's logits (:func:`~knexa.learning.soft_targets.taught_loss`).
    """
    total = 0.0
    for _ in range(accumulate):
        own = (1.0 - alpha) * cross_entropy(model, next(local)) / accumulate
        own.backward()  # type: ignore[no-untyped-call]
        other = alpha * taught_loss(model, next(taught), temperature) / accumulate
        other.backward()  # type: ignore[no-untyped-call]
        total += float(own.detach()) + float(other.detach())
    return total
