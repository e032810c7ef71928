"""What a run tells about how far it is: plain values, for a display to draw. Nothing here reaches the event log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from knexa.config import FederationConfig
from knexa.simulation.central import central_jobs


@dataclass(frozen=True, slots=True)
class Progress:
    """One piece of news. ``round`` of ``rounds`` (0 before the first); ``phase``: start, training, exchange, evaluation or saving.

    ``agent`` and ``what``: the job that was just done. ``done`` of ``jobs`` (an estimate: exchanges may fail).
    ``eta_s``: estimated seconds to the end of the run; None until there is something to estimate from.
    """

    round: int
    rounds: int
    phase: str
    agent: str
    what: str
    done: int
    jobs: int
    eta_s: float | None


#: Is called from the run's own thread after every job; must be quick.
OnProgress = Callable[[Progress], None]


class Forecast:
    """Counts the jobs that a whole run takes, and estimates the time that is left from those already done."""

    def __init__(self, config: FederationConfig, *, rounds_done: int = 0, begun: bool = False) -> None:
        """``begun``: the starting states exist and are evaluated; ``rounds_done`` rounds are over."""
        agents, rounds = len(config.agents), config.rounds - rounds_done
        pairs = 0 if config.matching.matchmaker == "local" else min(config.matching.pairs or agents, agents // 2)
        trials = agents * (agents - 1) if config.matching.matchmaker == "oracle" else 0
        self._left = Counter({"train": rounds * agents, "transfer-set": 1, "evaluate-end": agents, "save": agents})
        every = config.evaluation.curve_every
        curves = config.rounds // every - rounds_done // every if every else 0
        self._left.update({"evaluate-round": curves * agents})
        for what in ("ask", "teach", "study"):
            self._left.update({what: rounds * pairs, f"trial-{what}": rounds * trials})
        self._left.update(central_jobs(config, rounds, begun=begun))
        if not begun:
            self._left.update({"start": agents, "evaluate-start": len({agent.backbone for agent in config.agents})})
        self._workers = config.engine.workers if config.engine.kind == "processes" else 1
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._done: Counter[str] = Counter()

    @property
    def done(self) -> int:
        return self._done.total()

    @property
    def jobs(self) -> int:
        return self.done + sum(max(0, left) for left in self._left.values())

    def note(self, what: str, seconds: float) -> None:
        """One more job of kind ``what`` is done."""
        self._left[what] -= 1
        self._done[what] += 1
        self._seconds[what] += seconds

    def eta_s(self) -> float | None:
        """Seconds left: the mean of each kind of job times how many are to come; a kind not seen yet counts as the mean of all."""
        if not self._done:
            return None
        mean = sum(self._seconds.values()) / self.done
        each = {what: self._seconds[what] / count for what, count in self._done.items()}
        return sum(max(0, left) * each.get(what, mean) for what, left in self._left.items()) / self._workers
