"""What the coordinator and the agents say to each other: identifiers and numbers, never a text or a weight.

The coordinator imports this module and no other message; what peers exchange lives in :mod:`knexa.protocol.peer`, which
the coordinator may not import (a lint rule holds it to that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile

# --- messages: coordinator -> agent


@dataclass(frozen=True, slots=True)
class RoundOpened:
    """Train locally, then report a profile for ``round`` (numbered from 1)."""

    round: int


@dataclass(frozen=True, slots=True)
class Matched:
    """Sent to both peers of a match."""

    match: Match


@dataclass(frozen=True, slots=True)
class Finished:
    """The federation is over after ``rounds`` rounds."""

    rounds: int


# --- messages: agent -> coordinator


@dataclass(frozen=True, slots=True)
class ProfileReported:
    profile: Profile


@dataclass(frozen=True, slots=True)
class OutcomeReported:
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ExchangeFailed:
    """The exchange came to nothing: the peer did not answer, its package was refused, or the student did not want it (:data:`REFUSED`)."""

    match_id: str
    reason: str


Message = RoundOpened | Matched | Finished | ProfileReported | OutcomeReported | ExchangeFailed

# --- what a state machine asks its shell to do


@dataclass(frozen=True, slots=True)
class Send:
    """Deliver ``message`` to the participant named ``to`` (:data:`COORDINATOR` or an agent)."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call the machine's ``on_time`` at ``time`` (seconds on the shell's clock), if it still waits then."""

    time: float


@dataclass(frozen=True, slots=True)
class Record:
    """Append an event of this ``kind`` (see :mod:`knexa.events`) to the record; ``fields`` are JSON-able, without NaN."""

    kind: str
    fields: Mapping[str, Any]


#: The reason of a student whose own terms or policy forbid the exchange: its teacher has done nothing wrong.
REFUSED = "refused by the agent's own terms or policy"

#: The name under which agents address the coordinator.
COORDINATOR = "cpm"
