"""Virtual time: what happens next, ordered by (time, sequence number), so that equal times have one order on every machine."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from knexa.protocol.messages import Message
from knexa.protocol.peer import PeerMessage


@dataclass(frozen=True, slots=True)
class Arrival:
    """``message`` of ``sender`` reaches ``to``."""

    sender: str
    to: str
    message: Message | PeerMessage


@dataclass(frozen=True, slots=True)
class WakeUp:
    """``who`` asked to be called at this time."""

    who: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    """The work that ``agent`` has in hand is finished."""

    agent: str


Occurrence = Arrival | WakeUp | WorkDone
Entry = tuple[float, int, Occurrence]


class Agenda:
    """The queue of coming occurrences, and the clock that they drive. Times are virtual seconds since the start."""

    def __init__(self, now: float = 0.0, entries: tuple[Entry, ...] = (), sequence: int = 0) -> None:
        self.now = now
        self._sequence = sequence
        self._heap = list(entries)
        heapq.heapify(self._heap)

    def add(self, time: float, occurrence: Occurrence) -> None:
        """Plan ``occurrence``. The past is now: nothing can happen before what has happened."""
        heapq.heappush(self._heap, (max(time, self.now), self._sequence, occurrence))
        self._sequence += 1

    def pop(self) -> Occurrence | None:
        """Advance the clock to the next occurrence and return it; None when nothing is left to happen."""
        if not self._heap:
            return None
        self.now, _, occurrence = heapq.heappop(self._heap)
        return occurrence

    def snapshot(self) -> tuple[float, tuple[Entry, ...], int]:
        """Arguments of an equal agenda."""
        return self.now, tuple(sorted(self._heap, key=lambda entry: entry[:2])), self._sequence
