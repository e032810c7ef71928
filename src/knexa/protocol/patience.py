"""How long a phase waits for its slowest participant.

Picking the number is the hard part, so it can be left to what was seen: whoever takes longer than the median by :data:`DEVIATIONS`
median absolute deviations is no longer waited for. A bound stays, for what has never been seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, final

from knexa.config import FederationConfig

#: k of median + k · MAD, in standard deviations of a normal distribution.
DEVIATIONS = 8.0
_NORMAL_MAD = 0.6745
#: Durations of a phase that are looked back on, and how many there have to be before they count.
WINDOW, FEWEST = 256, 8
#: However steady a phase was: a deadline is at least so many medians, and at least so many seconds.
LEAST_MEDIANS, LEAST_S = 3.0, 10.0


class Patience(ABC):
    """Durations and deadlines of phases, by their names, in seconds."""

    @abstractmethod
    def seconds(self, phase: str) -> float:
        """How long ``phase`` waits from its beginning."""

    @abstractmethod
    def note(self, phase: str, seconds: float) -> None:
        """A participant has answered so long after the beginning of ``phase``."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """JSON-able."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None: ...


@final
class Fixed(Patience):
    """The same number, always."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def seconds(self, phase: str) -> float:
        return self._seconds

    def note(self, phase: str, seconds: float) -> None:
        """Nothing is learned."""

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """There is nothing to restore."""


@final
class Observed(Patience):
    """Median + k · MAD of the last :data:`WINDOW` durations of the phase; at most ``most`` seconds, and that before there are enough."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._seen: dict[str, list[float]] = {}

    def seconds(self, phase: str) -> float:
        seen = self._seen.get(phase, [])
        return self._most if len(seen) < FEWEST else min(_bound(seen), self._most)

    def note(self, phase: str, seconds: float) -> None:
        self._seen[phase] = [*self._seen.get(phase, [])[-WINDOW + 1 :], max(seconds, 0.0)]

    def state(self) -> dict[str, Any]:
        return {phase: list(seen) for phase, seen in self._seen.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._seen = {phase: [float(seconds) for seconds in seen] for phase, seen in state.items()}


def patience(config: FederationConfig) -> Patience:
    """The one that ``transport.deadlines`` names."""
    most = config.transport.deadline_s
    return Fixed(most) if config.transport.deadlines == "fixed" else Observed(most)


def _bound(seen: Sequence[float]) -> float:
    middle = median(seen)
    deviation = median(abs(seconds - middle) for seconds in seen) / _NORMAL_MAD
    return max(middle + DEVIATIONS * deviation, LEAST_MEDIANS * middle, LEAST_S)
