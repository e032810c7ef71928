"""What an exchange was worth, Eq. 3: r = γ (L_pre − L_post) − δ · KB, then clipped, then z-scored.

The paper z-scores by the running mean and deviation (``moments``). One late outlier, of the clip's size where rewards are a
fiftieth of it, widens that deviation for good, and every later reward looks like nothing. Ours (``robust``, the default) takes the
median and the median absolute deviation of the last :data:`WINDOW` rewards, which fewer than half of them cannot move far, and
bounds z as well.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

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


#: Rewards that the robust scale looks back on, and the largest z it gives, in deviations.
WINDOW = 512
LARGEST_Z = 3.0

#: Median absolute deviation of a normal distribution, in standard deviations.
_NORMAL_MAD = 0.6745


class RewardScale(ABC):
    """Clips rewards and z-scores them by what was seen so far, this one included. The first has z = 0: nothing to compare it with."""

    def __init__(self, clip: float) -> None:
        self._clip = clip

    def scale(self, raw: float) -> tuple[float, float]:
        """(clipped, z) of ``raw``. Raises ValueError, and changes nothing, if it is not finite."""
        if not math.isfinite(raw):
            raise ValueError(f"a reward must be a finite number, not {raw}; what was seen so far was left as it was")
        clipped = min(max(raw, -self._clip), self._clip)
        return clipped, self._z(clipped)

    @abstractmethod
    def _z(self, clipped: float) -> float:
        """Take one more reward in, and standardise it."""

    @abstractmethod
    def state(self) -> dict[str, Any]: ...

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None: ...


@final
class MomentScale(RewardScale):
    """The paper's: mean and deviation of all clipped rewards so far (Welford). Clipping bounds what one liar can do to them."""

    def __init__(self, clip: float) -> None:
        super().__init__(clip)
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def _z(self, clipped: float) -> float:
        self._count += 1
        delta = clipped - self._mean
        self._mean += delta / self._count
        self._squares += delta * (clipped - self._mean)
        return (clipped - self._mean) / (math.sqrt(self._squares / self._count) + EPSILON)

    def state(self) -> dict[str, Any]:
        return {"count": self._count, "mean": self._mean, "squares": self._squares}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._count, self._mean, self._squares = int(state["count"]), float(state["mean"]), float(state["squares"])


@final
class RobustScale(RewardScale):
    """Median and median absolute deviation of the last :data:`WINDOW` clipped rewards; z within ±:data:`LARGEST_Z`."""

    def __init__(self, clip: float) -> None:
        super().__init__(clip)
        self._seen: list[float] = []

    def _z(self, clipped: float) -> float:
        self._seen = [*self._seen[-WINDOW + 1 :], clipped]
        seen = np.array(self._seen)
        middle = _median(seen)
        deviation = _median(np.abs(seen - middle)) / _NORMAL_MAD
        return min(max((clipped - middle) / (deviation + EPSILON), -LARGEST_Z), LARGEST_Z)

    def state(self) -> dict[str, Any]:
        return {"seen": list(self._seen)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._seen = [float(reward) for reward in state["seen"]]


def _median(values: NDArray[np.float64]) -> float:
    """As :func:`numpy.median`, to the bit, without its tenths of a millisecond for masks and axes."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half]) if len(values) % 2 else float(ordered[half - 1] + ordered[half]) / 2.0


def reward_scale(kind: Literal["moments", "robust"], clip: float) -> RewardScale:
    """The scale that ``reward.scale`` names."""
    return MomentScale(clip) if kind == "moments" else RobustScale(clip)
