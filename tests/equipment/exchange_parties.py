"""A CPM, a teacher and a student with keys of their own, and everything that one exchange needs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from knexa.errors import PeerError
from knexa.exchange.handshake import Party, StudentSide, TeacherSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import SigningKey
from knexa.exchange.ticket import Ticket, sign_ticket

NOW = 1_000_000.0
X_U = "ab" * 32
MARKER = "marker-0d9f6c"


def new_key() -> SigningKey:
    return SigningKey(ec.generate_private_key(ec.SECP256R1()))


CPM, TEACHER, STUDENT, OTHER = (new_key() for _ in range(4))
PINNED = {"t": TEACHER.verifying_key, "s": STUDENT.verifying_key, "u": OTHER.verifying_key}
TICKET = Ticket(
    federation="clinics",
    match_id="r1-t-s",
    round=1,
    teacher="t",
    student="s",
    protocol="text",
    transfer_set=X_U,
    teacher_key=TEACHER.fingerprint,
    student_key=STUDENT.fingerprint,
    prompt_budget=4,
    byte_budget=4000,
    expires_at=int(NOW) + 600,
)
REQUEST = KnowledgeRequest("r1-t-s", tuple(f"{MARKER}-prompt-{number}" for number in range(6)), 4)
PACKAGE = KnowledgePackage("r1-t-s", X_U, {key: f"return '{MARKER}-answer-{key}'" for key in REQUEST.prompt_ids[:4]}, withheld=1)


def party(name: str, key: SigningKey) -> Party:
    return Party("clinics", name, key, CPM.verifying_key, PINNED, X_U)


@dataclass
class Exchange:
    """Both sides under one ticket; each takes the steps that the test asks for."""

    student: StudentSide
    teacher: TeacherSide

    def ask(self) -> bytes:
        return self.student.ask(self.teacher.offer, REQUEST, NOW)

    def answer(self) -> bytes:
        """The sealed package, after everything that goes before it."""
        self.teacher.hear(self.student.offer, self.ask(), NOW)
        return self.teacher.answer(PACKAGE, NOW)


def begin(seen: SeenTickets, **changes: object) -> Exchange:
    """An exchange under TICKET with ``changes``."""
    token = sign_ticket(replace(TICKET, **changes), CPM)  # type: ignore[arg-type]
    return Exchange(StudentSide(party("s", STUDENT), token, NOW), TeacherSide(party("t", TEACHER), token, seen, NOW))


@contextlib.contextmanager
def ledger(folder: Path) -> Iterator[SeenTickets]:
    with SeenTickets(folder / "seen-tickets", NOW) as seen:
        yield seen


def refuse(work: Callable[[], object], match: str | None = None) -> None:
    """``work`` raises PeerError, in words that fit ``match`` (any, for None)."""
    with pytest.raises(PeerError, match=match):
        work()


def parses_or_peer_error(parse: Callable[[bytes], object], data: bytes) -> bool:
    """Whether ``data`` parses. If so, to a value that encodes to it; if not, PeerError and nothing else."""
    try:
        value = parse(data)
    except PeerError:
        return False
    assert value.to_bytes() == data  # type: ignore[attr-defined]
    return True


def accepted_flips(data: bytes, times: int, attempt: Callable[[bytes], object]) -> int:
    """In how many of ``times`` copies of ``data`` with one random bit flipped ``attempt`` does not raise PeerError."""
    accepted = 0
    for place in np.random.default_rng(0).integers(8 * len(data), size=times).tolist():
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with contextlib.suppress(PeerError):
            attempt(bytes(flipped))
            accepted += 1
    return accepted
