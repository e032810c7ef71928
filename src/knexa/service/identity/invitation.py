"""Joining by a one-time code: what the code says, and how often it may be tried.

A code is 36 characters: 25 of a hash that pins the organisation's root (125 bits), 9 of a secret (45 bits), 2 that catch typing
errors. The newcomer knows by the hash that it talks to the right authority *before* it shows the secret, so neither an
eavesdropper nor somebody in between learns anything to try at leisure, and guessing at the authority succeeds with probability
5 in 2**45. A password-authenticated key exchange would do with 8 characters; but the one library for it on PyPI (`spake2`)
says of itself that it is not constant-time, and a code is pasted, not spoken. So: TLS 1.3 and a hash, nothing home-made.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from knexa.errors import ConfigurationError, PeerError
from knexa.service.identity.certificates import MAX_LIFETIME

TRIES = 5
LONGEST_OPEN = timedelta(minutes=10)

#: Digits and letters without I, L, O and U (Crockford's base 32).
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SPELLINGS = str.maketrans("OIL", "011", "- ")
_PIN, _SECRET, _CHECK = 25, 9, 2
_LENGTH = _PIN + _SECRET + _CHECK

#: Random bytes that :meth:`Code.make` needs.
ENTROPY = 8


@dataclass(frozen=True, slots=True)
class Code:
    """``pin``: of the organisation's root. ``secret``: known to whom the code was given. Both in base 32."""

    pin: str
    secret: str

    def __str__(self) -> str:
        text = self.pin + self.secret
        text += _base32(hashlib.sha256(text.encode()).digest(), _CHECK)
        return "-".join(text[start : start + 6] for start in range(0, _LENGTH, 6))

    @classmethod
    def make(cls, root: x509.Certificate, entropy: bytes) -> Code:
        """``entropy``: :data:`ENTROPY` bytes from the operating system."""
        return cls(root_pin(root), _base32(entropy, _SECRET))

    @classmethod
    def parse(cls, text: str) -> Code:
        """Case, hyphens, spaces and O, I, L for 0, 1, 1 do not matter. Raises ConfigurationError for a mistyped code."""
        plain = text.upper().translate(_SPELLINGS)
        code = cls(plain[:_PIN], plain[_PIN : _PIN + _SECRET])
        if len(plain) != _LENGTH or not set(plain) <= set(_ALPHABET) or str(code).replace("-", "") != plain:
            raise ConfigurationError(f"code: mistyped or cut short ({len(plain)} characters of {_LENGTH}); copy it whole")
        return code


def root_pin(root: x509.Certificate) -> str:
    """125 bits of the root's SHA-256: nobody finds another root with the same."""
    return _base32(hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).digest(), _PIN)


class Invitation:
    """One newcomer may join as ``name`` until ``expires``. It lives in memory: when its process ends, the code is void."""

    def __init__(self, name: str, secret: str, expires: datetime, lifetime: timedelta = MAX_LIFETIME) -> None:
        """``lifetime``: of the certificate that the newcomer gets."""
        self.name = name
        self.expires = expires
        self.lifetime = lifetime
        self._secret = secret
        self._tries = 0
        self._used = False
        self._lock = threading.Lock()

    @property
    def used(self) -> bool:
        return self._used

    @property
    def tries(self) -> int:
        return self._tries

    def over(self, now: datetime) -> bool:
        """Whether nobody can join by it any more."""
        return self._used or self._tries >= TRIES or now >= self.expires

    @contextmanager
    def redeemed(self, secret: str, now: datetime) -> Iterator[str]:
        """The name for whoever knows the secret. The invitation is used when the block, which issues the certificate, succeeds.

        Every try counts, also one whose block fails. Raises PeerError where the invitation is over or the secret wrong.
        """
        with self._lock:
            if self._used:
                raise PeerError("this invitation was used already; ask for a new one, and say so if it was not you")
            if now >= self.expires:
                raise PeerError("this invitation has expired; ask for a new one")
            if self._tries >= TRIES:
                raise PeerError(f"this code was tried {TRIES} times, so the invitation is void; ask for a new one")
            self._tries += 1
            if not hmac.compare_digest(secret.encode(), self._secret.encode()):
                raise PeerError(f"wrong code; tries left: {TRIES - self._tries}")
            yield self.name
            self._used = True


def _base32(content: bytes, characters: int) -> str:
    """The first ``characters`` of ``content``, 5 bits each."""
    bits = "".join(f"{byte:08b}" for byte in content)
    return "".join(_ALPHABET[int(bits[place * 5 : place * 5 + 5], 2)] for place in range(characters))
