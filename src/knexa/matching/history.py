"""What the coordinator itself remembers of past exchanges: success rates, trust, and who met whom when.

Agents report profiles; this they cannot report about themselves. It adds the paper's "historical success rate" and "trust
score" to every context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knexa.matching.match import Match, Outcome

Array = NDArray[np.float64]

#: Trust before anything is known, and the weight of the newest exchange in its moving average.
INITIAL_TRUST = 0.5
TRUST_RATE = 0.3

#: Rounds after which having met counts 1/e as much.
MEETING_MEMORY = 3.0


class History:
    """Grows with every match and outcome; rates and trust are in [0, 1].

    Roles count apart: an agent can be a good teacher and a poor student. Trust is about teaching: the moving average of the
    share of an agent's texts that its students could keep, with 0 for an update that was rolled back or never arrived.
    """

    def __init__(self) -> None:
        self._taught: dict[str, tuple[int, int]] = {}
        self._learned: dict[str, tuple[int, int]] = {}
        self._trust: dict[str, float] = {}
        self._met: dict[str, int] = {}
        self._active: dict[str, int] = {}
        self._in_a_row: dict[str, int] = {}
        self._given: dict[str, int] = {}
        self._received: dict[str, int] = {}

    def see(self, agents: Sequence[str], round: int) -> None:
        """These agents take part in ``round``: whoever is new waits from now on."""
        for agent in agents:
            self._active.setdefault(agent, round - 1)

    def meet(self, match: Match) -> None:
        """The pair was matched in ``match.round``."""
        self._met[_pair(match.teacher, match.student)] = match.round
        self._active[match.teacher] = self._active[match.student] = match.round
        self._in_a_row[match.teacher] = 0
        self._in_a_row[match.student] = self._in_a_row.get(match.student, 0) + 1
        self._given[match.teacher] = self._given.get(match.teacher, 0) + 1

    def record(self, match: Match, outcome: Outcome, raw_reward: float) -> None:
        """An exchange ended. It was a success if the student kept the update and the reward was positive."""
        self._received[match.student] = self._received.get(match.student, 0) + outcome.bytes
        success = outcome.accepted and raw_reward > 0.0
        self._count(match, success)
        # An adapter is kept or rolled back as a whole.
        shares = 1.0 if match.protocol == "adapter" else outcome.kept / max(outcome.texts, 1)
        self._rate(match.teacher, min(max(shares, 0.0), 1.0) if outcome.accepted else 0.0)

    def record_failure(self, match: Match) -> None:
        """The exchange came to nothing, and its student wanted it; whoever was at fault, it counts against the teacher's trust."""
        self._count(match, False)
        self._rate(match.teacher, 0.0)

    def teaching_success(self, agents: Sequence[str]) -> Array:
        """Success rate as teacher [n], (successes + 1) / (exchanges + 2): 1/2 before any."""
        return _rates(self._taught, agents)

    def learning_success(self, agents: Sequence[str]) -> Array:
        """Success rate as student [n], smoothed like :meth:`teaching_success`."""
        return _rates(self._learned, agents)

    def teaching_share(self, agents: Sequence[str]) -> Array:
        """Share of its exchanges in which each agent taught [n], (taught + 1) / (all + 2): 1/2 before any."""
        taught = [self._taught.get(agent, (0, 0))[1] for agent in agents]
        learned = [self._learned.get(agent, (0, 0))[1] for agent in agents]
        return np.array([(t + 1) / (t + s + 2) for t, s in zip(taught, learned, strict=True)], dtype=np.float64)

    def waited(self, agents: Sequence[str], round: int) -> NDArray[np.int64]:
        """Rounds before ``round`` that each agent has been without a partner [n], in a row."""
        return np.array([round - 1 - self._active.get(agent, round - 1) for agent in agents], dtype=np.int64)

    def learned_in_a_row(self, agents: Sequence[str]) -> NDArray[np.int64]:
        """Exchanges in a row in which each agent was the student [n]."""
        return np.array([self._in_a_row.get(agent, 0) for agent in agents], dtype=np.int64)

    def lessons_given(self, agents: Sequence[str]) -> NDArray[np.int64]:
        """Exchanges in which each agent was to teach [n], whatever came of them."""
        return np.array([self._given.get(agent, 0) for agent in agents], dtype=np.int64)

    def kilobytes_received(self, agents: Sequence[str]) -> Array:
        """Kilobytes (1,024 bytes) of packages that each agent reported to have received [n]."""
        return np.array([self._received.get(agent, 0) / 1024.0 for agent in agents], dtype=np.float64)

    def trust(self, agents: Sequence[str]) -> Array:
        """Trust as teacher [n]."""
        return np.array([self._trust.get(agent, INITIAL_TRUST) for agent in agents], dtype=np.float64)

    def recency(self, agents: Sequence[str], round: int) -> Array:
        """How recently each pair met, [n, n] symmetric: exp(−(rounds since − 1) / memory), 1 for last round, 0 for never."""
        recent = np.zeros((len(agents), len(agents)))
        for i, first in enumerate(agents):
            for j, second in enumerate(agents[:i]):
                last = self._met.get(_pair(first, second))
                if last is not None:
                    recent[i, j] = recent[j, i] = np.exp(-max(round - last - 1, 0) / MEETING_MEMORY)
        return recent

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "taught": {agent: list(counts) for agent, counts in self._taught.items()},
            "learned": {agent: list(counts) for agent, counts in self._learned.items()},
            "trust": dict(self._trust),
            "met": dict(self._met),
            "active": dict(self._active),
            "in_a_row": dict(self._in_a_row),
            "given": dict(self._given),
            "received": dict(self._received),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._taught = {agent: (int(wins), int(total)) for agent, (wins, total) in state["taught"].items()}
        self._learned = {agent: (int(wins), int(total)) for agent, (wins, total) in state["learned"].items()}
        self._trust = {agent: float(trust) for agent, trust in state["trust"].items()}
        self._met = {pair: int(round) for pair, round in state["met"].items()}
        self._active = {agent: int(round) for agent, round in state["active"].items()}
        self._in_a_row = {agent: int(count) for agent, count in state["in_a_row"].items()}
        self._given = {agent: int(count) for agent, count in state["given"].items()}
        self._received = {agent: int(size) for agent, size in state["received"].items()}

    def _count(self, match: Match, success: bool) -> None:
        for counts, agent in ((self._taught, match.teacher), (self._learned, match.student)):
            wins, total = counts.get(agent, (0, 0))
            counts[agent] = (wins + success, total + 1)

    def _rate(self, teacher: str, quality: float) -> None:
        trust = self._trust.get(teacher, INITIAL_TRUST)
        self._trust[teacher] = trust + TRUST_RATE * (quality - trust)


def _pair(first: str, second: str) -> str:
    """One key for both directions; names cannot contain a slash."""
    return "/".join(sorted((first, second)))


def _rates(counts: Mapping[str, tuple[int, int]], agents: Sequence[str]) -> Array:
    known = [counts.get(agent, (0, 0)) for agent in agents]
    return np.array([(wins + 1) / (total + 2) for wins, total in known], dtype=np.float64)
