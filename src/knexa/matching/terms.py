"""On whose terms: which exchanges (teacher s, student r, protocol K) are admissible, and which of them are not.

A protocol K is how knowledge travels:

- ``text``: the teacher's answers, between any two models;
- ``logits``: its answers and, for every token of them, its most likely tokens; both must have one tokenizer;
- ``adapter``: its LoRA factors, merged into the student's; both must have one backbone.

The last two reveal more of the teacher, so an exchange uses them only where both agents allow them. Beyond that an agent may refuse
others altogether, and bound how often it teaches and how much it receives. Terms decide what can be chosen; the bandit decides what is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from knexa.config import FederationConfig
from knexa.matching.history import History
from knexa.matching.match import PROTOCOLS


@dataclass(frozen=True, slots=True)
class Terms:
    """What one agent agreed to when it joined.

    ``refuses``: names of agents that it neither teaches nor learns from. ``lessons``: most exchanges in which it teaches.
    ``kilobytes``: once it has received so many, it learns no more. None = no bound. ``backbone`` and ``tokenizer`` name what
    it has; equal names mean equal models.
    """

    protocols: tuple[str, ...] = ("text",)
    refuses: frozenset[str] = frozenset()
    lessons: int | None = None
    kilobytes: float | None = None
    backbone: str = ""
    tokenizer: str = ""


#: The terms of an agent that stated none: it exchanges texts with everybody.
OPEN_TERMS = Terms()


def terms_of(config: FederationConfig) -> dict[str, Terms]:
    """The terms of each agent of a simulation, by names. A backbone brings its tokenizer, so the same name serves for both."""
    return {
        agent.name: Terms(
            protocols=agent.protocols,
            refuses=frozenset(agent.refuses),
            lessons=agent.lessons,
            kilobytes=agent.kilobytes,
            backbone=agent.backbone,
            tokenizer=agent.backbone,
        )
        for agent in config.agents
    }


class Admissibility:
    """The terms of all agents together; whoever is not named has :data:`OPEN_TERMS`.

    ``protocols``: those that some pair could use, in the order of :data:`~knexa.matching.match.PROTOCOLS`; ``text`` always. ``open``:
    whether every pair may exchange texts, always, and nothing else.
    """

    def __init__(self, terms: Mapping[str, Terms] | None = None) -> None:
        self._terms = dict(terms or {})
        stated = list(self._terms.values())
        self.protocols = tuple(protocol for protocol in PROTOCOLS if protocol == "text" or _agreed(stated, protocol).any())
        self.open = self.protocols == ("text",) and all(
            "text" in one.protocols and not one.refuses and one.lessons is None and one.kilobytes is None for one in stated
        )

    def allowed(self, agents: Sequence[str], history: History, apart: Collection[tuple[str, str]] = ()) -> NDArray[np.bool_]:
        """Which exchanges are admissible now: [k, n, n] by protocol, teacher and student; never with oneself.

        ``apart``: (teacher, student) between whom nothing can travel; names that are not in ``agents`` are ignored.
        """
        terms = [self._terms.get(agent, OPEN_TERMS) for agent in agents]
        given, received = history.lessons_given(agents), history.kilobytes_received(agents)
        teaches = np.array([one.lessons is None or count < one.lessons for one, count in zip(terms, given, strict=True)])
        learns = np.array([one.kilobytes is None or size < one.kilobytes for one, size in zip(terms, received, strict=True)])
        willing = teaches[:, None] & learns[None, :]
        for i, one in enumerate(terms):
            refused = [j for j, other in enumerate(agents) if other in one.refuses] if one.refuses else []
            willing[i, refused] = willing[refused, i] = False
        place = {agent: position for position, agent in enumerate(agents)}
        for teacher, student in apart:
            if teacher in place and student in place:
                willing[place[teacher], place[student]] = False
        return np.array([willing & _agreed(terms, protocol) for protocol in self.protocols])


def _agreed(terms: Sequence[Terms], protocol: str) -> NDArray[np.bool_]:
    """[n, n], symmetric, false on the diagonal: both allow the protocol, and have in common what it needs."""
    allows = np.array([protocol in one.protocols for one in terms], dtype=bool)
    both: NDArray[np.bool_] = allows[:, None] & allows[None, :]
    if protocol in _NEEDS:
        has = np.array([_NEEDS[protocol](one) for one in terms], dtype=str)
        both &= (has[:, None] == has[None, :]) & (has != "")
    np.fill_diagonal(both, False)
    return both


#: What both must have the same of; nameless is nothing in common.
_NEEDS: Mapping[str, Callable[[Terms], str]] = {"logits": attrgetter("tokenizer"), "adapter": attrgetter("backbone")}
