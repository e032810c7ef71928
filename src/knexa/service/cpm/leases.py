"""Who is still there, and who gets on: an agent holds a lease, which everything that it says renews.

Leases are of the process, not of the journal: what is kept is only that the coordinator went on without somebody. After a restart
everybody who has ever joined gets a whole lease to be heard of again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


class Leases:
    """``seconds``: how long an agent counts as there after it was last heard of. Times are Unix seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._heard: dict[str, float] = {}
        self._worked: dict[str, tuple[int, float]] = {}

    def renew(self, agent: str, now: float, worked_ms: int | None = None) -> None:
        """``agent`` was heard of. ``worked_ms``: how long it has computed so far; None = it does not say."""
        self._heard[agent] = now
        if worked_ms is not None and worked_ms != self._worked.get(agent, (-1, 0.0))[0]:
            self._worked[agent] = worked_ms, now

    def end(self, agent: str) -> None:
        """``agent`` has said goodbye."""
        self._heard.pop(agent, None)
        self._worked.pop(agent, None)

    def excuse(self, now: float) -> None:
        """Everybody who was ever heard of counts as there again: it was this process that did not listen."""
        self._heard = dict.fromkeys(self._heard, now)

    def all_gone(self, agents: Iterable[str], now: float) -> bool:
        """Whether each of ``agents`` has no lease: it is over, or there never was one. True of no agents."""
        return all(now - self._heard.get(agent, -math.inf) >= self.seconds for agent in agents)

    def working(self, agents: Iterable[str], now: float) -> list[str]:
        """Those of ``agents`` that are there and have got on within one lease."""
        return [agent for agent in agents if agent in self._worked and now - self._worked[agent][1] < self.seconds]
