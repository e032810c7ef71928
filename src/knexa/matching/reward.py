"""What an exchange was worth, Eq. 3: r = γ (L_pre − L_post) − δ · KB, then clipped, then z-scored by running moments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from knexa.errors import PeerError
from knexa.matching.match import Outcome

Measure = Literal["validation", "probe", "blend"]

BYTES_PER_KB = 1024.0

#: Keeps the z-score finite while all rewards are equal (the paper's ε).
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Reward:
    """``raw``: Eq. 3. ``clipped``: within ±clip. ``z``: in running standard deviations; what the bandit learns from."""

    match_id: str
    raw: float
    clipped: float
    z: float


def raw_reward(outcome: Outcome, gamma: float, delta: float, measure: Measure) -> float:
    """Eq. 3 in units of γ nats a token.

    ``measure``: whose loss L is: the student's own validation data (the paper's), the public probe, or the mean of both
    drops. Raises PeerError if the student reported a number that is not finite, or a negative size.
    """
    drops = {
        "validation": outcome.loss_before - outcome.loss_after,
        "probe": outcome.probe_loss_before - outcome.probe_loss_after,
    }
    drop = 0.5 * (drops["validation"] + drops["probe"]) if measure == "blend" else drops[measure]
    if not math.isfinite(drop) or outcome.bytes < 0:
        raise PeerError(
            f"outcome of {outcome.match_id}: the student reported a {measure} loss drop of {drop} for {outcome.bytes} bytes;"
            " losses must be finite and sizes not negative; no reward was given"
        )
    return gamma * drop - delta * (outcome.bytes / BYTES_PER_KB)


class RewardScale:
    """Clips rewards and z-scores them by mean and deviation of all clipped rewards so far, this one included (Welford).

    Clipping first bounds what one liar can do to the moments. The first reward has z = 0: nothing to compare it with.
    """

    def __init__(self, clip: float) -> None:
        self._clip = clip
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def scale(self, raw: float) -> tuple[float, float]:
        """(clipped, z) of ``raw``. Raises ValueError, and changes nothing, if it is not finite."""
        if not math.isfinite(raw):
            raise ValueError(f"a reward must be a finite number, not {raw}; the running moments were left as they were")
        clipped = min(max(raw, -self._clip), self._clip)
        self._count += 1
        delta = clipped - self._mean
        self._mean += delta / self._count
        self._squares += delta * (clipped - self._mean)
        return clipped, (clipped - self._mean) / (math.sqrt(self._squares / self._count) + EPSILON)

    def state(self) -> dict[str, Any]:
        return {"count": self._count, "mean": self._mean, "squares": self._squares}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._count, self._mean, self._squares = int(state["count"]), float(state["mean"]), float(state["squares"])
