"""How far what an agent knew can have come: to whom it has taught, and on to whom they have taught after that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from knexa.record import Exchange


@dataclass(frozen=True, slots=True)
class Reach:
    """Of one agent. ``students``: whom it has taught, at one hop; ``further``: whom those have taught afterwards, at two, itself left out.

    ``relayed``: by teacher at one hop, the round from which its texts can carry something on.
    """

    students: frozenset[str]
    further: frozenset[str]
    relayed: Mapping[str, int] = field(default_factory=dict)


def reaches(agents: Iterable[str], exchanges: Iterable[Exchange]) -> dict[str, Reach]:
    """By agent. Only exchanges count after which the student kept what it had learned; within a round nothing goes two hops."""
    taken = sorted((one for one in exchanges if one.accepted), key=lambda one: one.round)
    found = {}
    for agent in agents:
        since: dict[str, int] = {}
        for one in taken:
            if one.teacher == agent:
                since.setdefault(one.student, one.round)
        further = {one.student for one in taken if one.teacher in since and one.round > since[one.teacher]} - {agent}
        found[agent] = Reach(frozenset(since), frozenset(further), {student: first + 1 for student, first in since.items()})
    return found
