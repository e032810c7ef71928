"""What the coordinator needs of a matchmaker, and what it may log of one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward

#: In rounds of more agents candidates are not logged: n² of them are 5 MB a round here, and the coordinator stands still meanwhile.
MOST_LOGGED = 128


@dataclass(frozen=True, slots=True)
class Candidate:
    """One admissible exchange of a round, chosen or not: all that replay and off-policy evaluation need.

    ``context``: the features it was judged by. ``score``: the matchmaker's value of it. ``propensity``: probability
    with which it is among the chosen; 0 or 1 for a matchmaker that draws nothing.
    """

    teacher: str
    student: str
    context: tuple[float, ...]
    score: float
    propensity: float
    protocol: str = "text"

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the event log. There are n² of them, and :func:`dataclasses.asdict`, which copies, takes forty times as long."""
        return {name: getattr(self, name) for name in self.__slots__}


class Matchmaker(Protocol):
    """Chooses the pairs of a round and learns from what became of them.

    Outcomes may come late, in any order, or never; one that names no open match is no news and returns None.
    """

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Of the last :meth:`match`, in the order of (teacher, student) names, and of protocols."""
        ...

    def match(self, profiles: Mapping[str, Profile], round: int, apart: Collection[tuple[str, str]] = ()) -> list[Match]:
        """Disjoint pairs among the agents of ``profiles`` (by name), best first. ``round`` counts from 1.

        ``apart``: (teacher, student), by names, between whom nothing can travel now.
        """
        ...

    def learn(self, outcome: Outcome) -> Reward | None:
        """Reward the match that ``outcome`` reports on. Raises PeerError, and learns nothing, if a number is not finite."""
        ...

    def fail(self, match_id: str) -> None:
        """The exchange came to nothing: there is no reward, but it is remembered. Unknown ids are ignored."""
        ...

    def drop(self, match_id: str) -> None:
        """The student did not want the exchange, so it says nothing about its teacher: it is over. Unknown ids are ignored."""
        ...

    def state(self) -> dict[str, Any]:
        """All that later choices depend on; JSON-able, and exact when read back."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue as if uninterrupted since :meth:`state`."""
        ...

    def digest(self) -> str:
        """SHA-256 of the state."""
        ...


#: Tries matches without lasting effect and returns the reward that each would earn; NaN where it cannot be had.
Trial = Callable[[Sequence[Match]], Sequence[float]]
