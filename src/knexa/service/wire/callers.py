"""How much one caller may ask of a port, so that none can keep it busy for the others."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Calls of one caller at once, and within a minute. An agent makes about twenty a minute, and a few hundred after a long absence.
AT_ONCE = 16
A_MINUTE = 600

#: So many callers are remembered before those are forgotten who have been quiet.
MOST_KNOWN = 10_000

_MINUTE_S = 60.0


class BusyError(Exception):
    """The caller has asked for too much for now; nothing is wrong with what it asks."""


@dataclass(slots=True)
class _Caller:
    tokens: float
    running: int = 0
    at: float = 0.0


class Callers:
    """Counts calls by who makes them: a bucket of so many ``a_minute`` that fills again, and those that are running ``at_once``."""

    def __init__(self, at_once: int = AT_ONCE, a_minute: int = A_MINUTE) -> None:
        self._at_once, self._a_minute = at_once, a_minute
        self._known: dict[Hashable, _Caller] = {}

    @contextmanager
    def calling(self, who: Hashable, now: float) -> Iterator[None]:
        """For as long as a call takes. ``now``: seconds of a clock that does not go back. Raises BusyError."""
        if len(self._known) >= MOST_KNOWN:
            self._forget(now)
        caller = self._known.setdefault(who, _Caller(self._a_minute, at=now))
        caller.tokens = min(caller.tokens + (now - caller.at) * self._a_minute / _MINUTE_S, self._a_minute)
        caller.at = now
        if caller.running >= self._at_once:
            raise BusyError(f"{who} has {self._at_once} calls going on; the next one has to wait for one of them")
        if caller.tokens < 1.0:
            raise BusyError(f"{who} has called more than {self._a_minute} times within a minute; it has to wait")
        caller.tokens -= 1.0
        caller.running += 1
        try:
            yield
        finally:
            caller.running -= 1

    def _forget(self, now: float) -> None:
        """Whoever has not called for a minute is as one who never did."""
        self._known = {who: one for who, one in self._known.items() if one.running or now - one.at < _MINUTE_S}
