"""What a run tells about how far it is: plain values, for a display to draw. Nothing here reaches the event log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One piece of news. ``round`` of ``rounds`` (0 before the first); ``phase``: start, training, exchange, evaluation or saving.

    ``agent`` and ``what``: the job that was just done. ``done`` of ``jobs`` (an estimate: exchanges may fail).
    ``eta_s``: estimated seconds to the end of the run (:mod:`knexa.simulation.forecast`); None until there is something to estimate from.
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
