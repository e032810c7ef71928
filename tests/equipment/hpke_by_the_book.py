"""HPKE base mode over X-Wing, written down a second time from RFC 9180 and draft-connolly-cfrg-xwing-kem.

The library's interface is one shot and takes no fixed ephemeral key, so published vectors cannot be put to it directly. They
are put to this reading instead, and this reading opens what the library seals and seals what it opens.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

XWING, HKDF_SHA256, CHACHA20 = 0x647A, 1, 3


def key_schedule(kem: int, shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and base nonce (RFC 9180, section 5.1, mode 0) for HKDF-SHA256 and ChaCha20-Poly1305."""
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (kem, HKDF_SHA256, CHACHA20))

    def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")

    def expand(label: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(secret, labelled + b"\x01", "sha256")[:length]

    return expand(b"key", 32), expand(b"base_nonce", 12)


def key_pair(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey, bytes]:
    """Both private keys of an X-Wing seed of 32 bytes, and the public key of 1,216 bytes."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    return mlkem, x25519, mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def decapsulate(seed: bytes, enc: bytes) -> bytes:
    mlkem, x25519, public = key_pair(seed)
    agreed = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    return _combined(mlkem.decapsulate(enc[:1088]), agreed, enc[1088:], public[1184:])


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Shared secret and its encapsulation."""
    secret, ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = X25519PrivateKey.generate()
    shown = ephemeral.public_key().public_bytes_raw()
    agreed = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
    return _combined(secret, agreed, shown, public[1184:]), ciphertext + shown


def open_by_the_book(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    key, nonce = key_schedule(XWING, decapsulate(seed, sealed[:1120]), info)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed[1120:], b"")


def seal_by_the_book(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    secret, enc = encapsulate(public)
    key, nonce = key_schedule(XWING, secret, info)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")


def _combined(mlkem_secret: bytes, x25519_secret: bytes, shown: bytes, public: bytes) -> bytes:
    return hashlib.sha3_256(mlkem_secret + x25519_secret + shown + public + b"\\.//^\\").digest()
