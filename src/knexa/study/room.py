"""How many cells of a comparison fit into memory at once."""

from __future__ import annotations

from collections.abc import Callable

from knexa.config import FederationConfig
from knexa.machine import free_mb

#: What a process that works with embedded models takes at most, in MB: nothing is measured yet when a comparison begins.
GUESS_MB = 1000.0
#: Share of the free memory that cells may take.
USABLE = 0.9


class Room:
    """At most ``wanted`` cells, fewer if memory is short, never none. GPU memory is not looked at: a model that finds no room says so."""

    def __init__(self, wanted: int, config: FederationConfig, tell: Callable[[str], None]) -> None:
        """``config``: of any cell; they have one fleet. ``tell``: is told in a sentence when there are fewer than wanted, and why."""
        self._wanted, self._tell = wanted, tell
        self._free_mb = free_mb()
        embedded = all(agent.backbone.startswith("embedded:") for agent in config.agents)
        workers = config.engine.workers if config.engine.kind == "processes" else 1
        self._guess_mb = GUESS_MB * workers if embedded else None
        self._measured_mb: float | None = None
        self._told = ""

    def measured(self, peak_rss_mb: float | None) -> None:
        """A finished cell took so much; the largest counts."""
        if peak_rss_mb is not None:
            self._measured_mb = max(self._measured_mb or 0.0, peak_rss_mb)

    def cells(self) -> int:
        """How many may run at once now."""
        needed = self._measured_mb or self._guess_mb
        if needed is None:
            self._say("one cell runs alone first, since only then is it known how much memory these models take", self._wanted > 1)
            return 1
        fit = max(1, int(USABLE * self._free_mb / needed))
        known = "as the largest so far" if self._measured_mb else "a guess until one is finished"
        about = f"a cell takes about {needed:,.0f} MB ({known}), and {self._free_mb:,.0f} MB were free at the beginning"
        self._say(f"--jobs {self._wanted} is lowered to {fit}: {about}", fit < self._wanted)
        return min(fit, self._wanted)

    def _say(self, sentence: str, worth: bool) -> None:
        if worth and sentence != self._told:
            self._told = sentence
            self._tell(sentence)
