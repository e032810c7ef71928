"""What do signing and sealing a package cost, beside its floor, and what does the hybrid key exchange add?

    python benchmarks/sealing_speed.py [--bytes 20000] [--repeats 300]

One repeat takes a fresh key, seals a package (HPKE and signature) and opens it (every check, then HPKE). The floor is the
least that can keep the same bytes secret: ChaCha20-Poly1305 alone, there and back, under a key that both sides have already.
Both suites of HPKE run beside it, bare, with a fresh key each time, so that the price of ML-KEM is seen. ``exchange`` is
everything that both sides do for one ticket, from two tokens to the parsed package, with the ledger's sync; ``take`` is that
sync alone. All take turns within a repeat; medians in microseconds. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from knexa.exchange.handshake import Party, StudentSide, TeacherSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.sealing import FreshKey, Session, open_sealed, seal
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import SigningKey
from knexa.exchange.ticket import Ticket, sign_ticket
from rows import append, row

NOW, X_U, PROMPTS = 1_000_000.0, "ab" * 32, 128
CPM, TEACHER, STUDENT = (SigningKey(ec.generate_private_key(ec.SECP256R1())) for _ in range(3))
PINNED = {"teacher": TEACHER.verifying_key, "student": STUDENT.verifying_key}


def ticket(match_id: str, budget: int) -> Ticket:
    keys = {"teacher_key": TEACHER.fingerprint, "student_key": STUDENT.fingerprint, "transfer_set": X_U}
    limits = {"prompt_budget": PROMPTS, "byte_budget": budget, "expires_at": int(NOW) + 600}
    return Ticket("bench", match_id, 1, "teacher", "student", "text", **keys, **limits)  # type: ignore[arg-type]


def package(match_id: str, size: int) -> KnowledgePackage:
    """128 answers that together have ``size`` bytes or a few fewer."""
    prompts = [f"arithmetic/transfer/{number}" for number in range(PROMPTS)]
    empty = KnowledgePackage(match_id, X_U, dict.fromkeys(prompts, ""))
    each = (size - len(empty.to_bytes())) // PROMPTS
    return replace(empty, texts=dict.fromkeys(prompts, "x" * each))


class Timer:
    """Microseconds by name, one for each repeat."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = defaultdict(list)

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.samples[name].append(1e6 * (time.perf_counter() - began))
        return result


def sealing(timer: Timer, plaintext: bytes) -> int:
    """The bytes that an envelope has above its plaintext."""
    teacher, student = FreshKey(), timer("fresh_key", FreshKey)
    session = Session(ticket("r1", len(plaintext)), teacher.public, student.public)
    envelope = timer("seal", lambda: seal(session, "package", plaintext, TEACHER))
    opened = timer("open", lambda: open_sealed(session, "package", envelope, TEACHER.verifying_key, student, NOW))
    if opened != plaintext:
        raise SystemExit("an envelope did not give back what was sealed, so nothing was measured")
    return len(envelope) - len(plaintext)


def floor(timer: Timer, plaintext: bytes) -> None:
    cipher, nonce = ChaCha20Poly1305(ChaCha20Poly1305.generate_key()), os.urandom(12)
    timer("floor", lambda: cipher.decrypt(nonce, cipher.encrypt(nonce, plaintext, b""), b""))


def suites(timer: Timer, plaintext: bytes) -> dict[str, int]:
    """Bare HPKE, there and back, with a fresh key. Bytes above the plaintext, by suite."""

    def hybrid() -> Any:
        return MLKEM768X25519PrivateKey(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    added = {}
    for name, kem, fresh in (("x25519", KEM.X25519, X25519PrivateKey.generate), ("hybrid", KEM.MLKEM768_X25519, hybrid)):
        suite, sealed = Suite(kem, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305), []

        def there_and_back(suite: Suite = suite, fresh: Callable[[], Any] = fresh, sealed: list[bytes] = sealed) -> None:
            private = fresh()
            sealed.append(suite.encrypt(plaintext, private.public_key(), b"info"))
            suite.decrypt(sealed[0], private, b"info")

        timer(f"hpke_{name}", there_and_back)
        added[name] = len(sealed[0]) - len(plaintext)
    return added


def exchanges(timer: Timer, size: int, folder: Path) -> Iterator[int]:
    """One whole exchange for each number asked for: the bytes that travel between the peers, token left out."""
    with SeenTickets(folder / "exchanges", NOW) as seen, SeenTickets(folder / "takes", NOW) as takes:
        for number in range(10**9):
            match_id = f"r{number}"
            answer = package(match_id, size)
            permit = ticket(match_id, size)
            request = KnowledgeRequest(match_id, tuple(answer.texts), PROMPTS)
            token = sign_ticket(permit, CPM)
            yield timer("exchange", lambda: one_exchange(token, seen, request, answer))  # noqa: B023 - runs at once
            timer("take", lambda: takes.take(permit, NOW))  # noqa: B023


def one_exchange(token: bytes, seen: SeenTickets, request: KnowledgeRequest, answer: KnowledgePackage) -> int:
    student = StudentSide(Party("bench", "student", STUDENT, CPM.verifying_key, PINNED, X_U), token, NOW)
    teacher = TeacherSide(Party("bench", "teacher", TEACHER, CPM.verifying_key, PINNED, X_U), token, seen, NOW)
    asked = student.ask(teacher.offer, request, NOW)
    teacher.hear(student.offer, asked, NOW)
    sealed = teacher.answer(answer, NOW)
    student.receive(sealed, NOW)
    return sum(map(len, (student.offer, teacher.offer, asked, sealed)))


def measure(size: int, repeats: int) -> dict[str, Any]:
    timer, plaintext = Timer(), package("r1", size).to_bytes()
    with tempfile.TemporaryDirectory() as folder:
        steps = exchanges(timer, size, Path(folder))
        for _ in range(repeats):
            floor(timer, plaintext)
            added, bare, travelled = sealing(timer, plaintext), suites(timer, plaintext), next(steps)
        steps.close()
    figures = {f"{name}_us": round(median(samples), 1) for name, samples in timer.samples.items()}
    over = round((figures["seal_us"] + figures["open_us"]) / figures["floor_us"], 1)
    sizes = {
        "envelope_adds_bytes": added,
        "x25519_adds_bytes": bare["x25519"],
        "hybrid_adds_bytes": bare["hybrid"],
        "exchange_bytes": travelled,
    }
    return row("sealing_speed", seed=None, bytes=len(plaintext), repeats=repeats, **figures, seal_and_open_over_floor=over, **sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=300)
    arguments = parser.parse_args()
    result = measure(arguments.bytes, arguments.repeats)
    print(result)
    print("appended to", append(result))


if __name__ == "__main__":
    main()
