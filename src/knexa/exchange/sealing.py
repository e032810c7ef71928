"""What two peers sign and seal under one ticket: an offer of a fresh key by each, then one sealed message in each direction.

    teacher, student   offer      fresh public key, signed
    student            request    sealed to the teacher's fresh key, signed
    teacher            package    sealed to the student's fresh key, signed

Rules
-----
1. Whatever is signed or sealed is bound to a *header* that each side builds from its own copy of the ticket: nothing of it
   travels, so there is nothing in it that a sender could choose. It names the ticket's digest, match, round, sender,
   recipient and step; for the two sealed messages also both fresh keys.
2. The header is the ``info`` of HPKE; the signature is over the header and the hash of the ciphertext. A third party that
   strips a signature and puts its own in place has another header, so the message does not open.
3. Nothing is decrypted before signer, header, expiry and size were found right.
4. A fresh key opens one message and is gone. So a message opens once; and keys stolen later, identity keys included, open
   nothing that was recorded.

HPKE (RFC 9180) in base mode with ML-KEM-768 + X25519 (X-Wing, as in draft-ietf-hpke-pq), HKDF-SHA256, ChaCha20-Poly1305.
Why the hybrid: what clinics and firms teach has to stay secret for longer than X25519 alone may last against somebody who
records traffic today. It adds 1,088 bytes to an envelope and 1,184 to an offer, 4.5 kB to an exchange of 20 to 130 kB, and
0.2 to 0.4 ms to a message (benchmarks/sealing_speed.py); generating the texts takes seconds. Signatures stay classical: to
forge one later is of no use, because its exchange is over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.framing import join_parts, split_parts
from knexa.exchange.limits import MOST_BYTES
from knexa.exchange.signing import MOST_SIGNATURE_BYTES, SigningKey, VerifyingKey
from knexa.exchange.ticket import Ticket

Role = Literal["teacher", "student"]
Direction = Literal["request", "package"]

#: Bytes that sealing adds to a message, before its signature: the encapsulated key (1,120) and the tag (16).
SEAL_BYTES = 1136
#: Bytes of a fresh public key: ML-KEM-768 (1,184), then X25519 (32).
PUBLIC_BYTES = 1216

_MLKEM_BYTES = 1184
_HEADER = b"knexa exchange 1"
_OFFER = b"knexa offer 1"
_ENVELOPE = b"knexa envelope 1"
_SENDER: dict[Direction, Role] = {"request": "student", "package": "teacher"}
_OTHER: dict[Role, Role] = {"student": "teacher", "teacher": "student"}


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class FreshKey:
    """A key pair for one message. The private half is in memory only, and gone after its one use or :meth:`forget`.

    Python cannot overwrite memory: "gone" means that nothing refers to it any more and OpenSSL has freed it.
    """

    def __init__(self) -> None:
        """Raises ConfigurationError where the installed cryptography package cannot do ML-KEM."""
        try:
            mlkem = MLKEM768PrivateKey.generate()
        except UnsupportedAlgorithm as error:
            raise ConfigurationError(
                "the installed 'cryptography' package has no ML-KEM; install its wheel, or build it with OpenSSL 3.5 or newer"
            ) from error
        x25519 = X25519PrivateKey.generate()
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self._private = [MLKEM768X25519PrivateKey(mlkem, x25519)]

    def open_once(self, ciphertext: bytes, info: bytes) -> bytes:
        """Raises PeerError if this key was used or forgotten, or the ciphertext was not sealed to it under ``info``."""
        try:
            private = self._private.pop()  # one step, so that of two threads only one gets it
        except IndexError:
            raise PeerError("the key of this exchange is gone: the message came twice, or after the exchange had ended") from None
        try:
            return _suite().decrypt(ciphertext, private, info)
        except InvalidTag as error:
            raise PeerError("a sealed message does not open: it was sealed to another key or for another exchange") from error

    def forget(self) -> None:
        self._private.clear()


def sign_offer(ticket: Ticket, role: Role, key: SigningKey, public: bytes) -> bytes:
    """The fresh key ``public`` of the one in ``role``. ValueError if ``key`` is not the one that the ticket names."""
    _require_own(ticket, role, key)
    return join_parts(_OFFER, public, key.sign("offer", _offered(ticket, role, public)))


def open_offer(ticket: Ticket, role: Role, key: VerifyingKey, offer: bytes, now: float) -> bytes:
    """The fresh public key that ``role`` offers. Raises PeerError unless it was offered under this ticket, by ``key``."""
    public, signature = split_parts(offer, _OFFER, PUBLIC_BYTES, MOST_SIGNATURE_BYTES)
    ticket.check_time(now)
    require_key(ticket, role, key)
    key.verify("offer", _offered(ticket, role, public), signature)
    if len(public) != PUBLIC_BYTES:
        raise PeerError(f"{role} {getattr(ticket, role)!r} offers a key of {len(public)} bytes, not {PUBLIC_BYTES}")
    return public


@dataclass(frozen=True, slots=True)
class Session:
    """What both sides know after the offers, and must know alike."""

    ticket: Ticket
    teacher_public: bytes
    student_public: bytes

    def header(self, direction: Direction) -> bytes:
        return _header(self.ticket, _SENDER[direction], direction, self.teacher_public, self.student_public)

    def limit(self, direction: Direction) -> int:
        """Most bytes of a message before it is sealed."""
        return self.ticket.byte_budget if direction == "package" else MOST_BYTES

    def recipient_public(self, direction: Direction) -> bytes:
        return self.student_public if direction == "package" else self.teacher_public


def seal(session: Session, direction: Direction, plaintext: bytes, key: SigningKey) -> bytes:
    """An envelope that only the recipient's fresh key opens, signed by the sender.

    Raises ValueError if ``key`` is not the sender's or ``plaintext`` is over its budget, PeerError if the recipient's fresh key is no key.
    """
    _require_own(session.ticket, _SENDER[direction], key)
    if len(plaintext) > session.limit(direction):
        raise ValueError(f"a {direction} of {len(plaintext)} bytes is over its budget of {session.limit(direction)}")
    public = session.recipient_public(direction)
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_BYTES])
        x25519 = X25519PublicKey.from_public_bytes(public[_MLKEM_BYTES:])
        ciphertext = _suite().encrypt(plaintext, MLKEM768X25519PublicKey(mlkem, x25519), session.header(direction))
    except ValueError as error:  # of a wrong size, not reduced, or a point of low order
        recipient = getattr(session.ticket, _OTHER[_SENDER[direction]])
        raise PeerError(f"{recipient!r} offered a fresh key that nothing can be sealed to; ask it for another exchange") from error
    return join_parts(_ENVELOPE, ciphertext, key.sign(direction, _sealed(session, direction, ciphertext)))


def open_sealed(session: Session, direction: Direction, envelope: bytes, sender: VerifyingKey, fresh: FreshKey, now: float) -> bytes:
    """The plaintext, after everything was verified; ``fresh`` is used up by the first envelope that is the sender's.

    Raises PeerError for whatever ``sender`` did not seal to ``fresh`` in this direction under this ticket, that is too large, or too late.
    ValueError if ``fresh`` is not the session's.
    """
    if fresh.public != session.recipient_public(direction):
        raise ValueError(f"the fresh key is not the one that this session's {direction} is sealed to")
    limit = session.limit(direction) + SEAL_BYTES
    ciphertext, signature = split_parts(envelope, _ENVELOPE, limit, MOST_SIGNATURE_BYTES)
    session.ticket.check_time(now)
    require_key(session.ticket, _SENDER[direction], sender)
    sender.verify(direction, _sealed(session, direction, ciphertext), signature)
    return fresh.open_once(ciphertext, session.header(direction))


class SwappedKeyError(PeerError):
    """The ticket names another key than the one we know: an alarm, because the CPM could be putting somebody in between."""


def require_key(ticket: Ticket, role: Role, key: VerifyingKey) -> None:
    """Raises SwappedKeyError unless the ticket names ``key`` as that of its ``role``."""
    named = getattr(ticket, f"{role}_key")
    if named != key.fingerprint:
        raise SwappedKeyError(
            f"the ticket of match {ticket.match_id!r} names key {named[:16]} for {role} {getattr(ticket, role)!r}, but the key we know is "
            f"{key.fingerprint[:16]}: it was renewed, or the coordinator swapped it; compare fingerprints with its organisation"
        )


def _require_own(ticket: Ticket, role: Role, key: SigningKey) -> None:
    if getattr(ticket, f"{role}_key") != key.fingerprint:
        raise ValueError(f"the ticket of match {ticket.match_id!r} does not name this key as that of its {role}")


def _header(ticket: Ticket, sender: Role, step: str, *keys: bytes) -> bytes:
    names = (ticket.digest, ticket.match_id, str(ticket.round), getattr(ticket, sender), getattr(ticket, _OTHER[sender]), sender, step)
    return join_parts(_HEADER, *(name.encode() for name in names), *keys)


def _offered(ticket: Ticket, role: Role, public: bytes) -> bytes:
    return join_parts(_header(ticket, role, "offer"), public)


def _sealed(session: Session, direction: Direction, ciphertext: bytes) -> bytes:
    return join_parts(session.header(direction), hashlib.sha256(ciphertext).digest())
