"""Bytes that stand for one value only: parts behind their lengths, and closed JSON objects.

Each value has one encoding and each encoding one value, so a hash of the bytes names the value, and a signature over parts cannot be
moved to other parts that happen to read the same when they are joined. Any bytes either parse or raise PeerError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from knexa.errors import PeerError

_LENGTH = 4
_ADVICE = "have its sender use the same version of knexa"


def join_parts(*parts: bytes) -> bytes:
    """Each part behind its length (4 bytes, big-endian)."""
    return b"".join(len(part).to_bytes(_LENGTH, "big") + part for part in parts)


def split_parts(data: bytes, kind: bytes, *limits: int) -> tuple[bytes, ...]:
    """What ``join_parts(kind, *parts)`` joined: one part for each of ``limits``, none longer than its limit in bytes."""
    parts, at = [], 0
    for limit in (len(kind), *limits):
        length = int.from_bytes(data[at : at + _LENGTH], "big")
        part = data[at + _LENGTH : at + _LENGTH + length]
        if at + _LENGTH + length > len(data) or length > limit:
            raise PeerError(f"{len(data)} bytes are no {kind.decode()}: a part is cut short or longer than {limit} bytes; {_ADVICE}")
        parts.append(part)
        at += _LENGTH + length
    if at != len(data) or parts[0] != kind:
        raise PeerError(f"{len(data)} bytes are no {kind.decode()}: they are of another kind, or go on after its end; {_ADVICE}")
    return tuple(parts[1:])


def write_fields(fields: Mapping[str, Any]) -> bytes:
    """A JSON object without spaces, in the order of ``fields``, in UTF-8."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def read_fields(data: bytes, what: str, schema: Mapping[str, type], limit: int) -> dict[str, Any]:
    """What :func:`write_fields` wrote: exactly the fields of ``schema``, in its order and of its types (a bool is no int).

    Bounds and the items of lists are the caller's to check. ``what`` is named in the PeerError.
    """
    if len(data) > limit:
        raise PeerError(f"{what} has {len(data)} bytes; at most {limit} are taken")
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, endless digits, deep nesting
        raise PeerError(f"{what} is not readable ({type(error).__name__}); {_ADVICE}") from error
    if not isinstance(fields, dict) or list(fields) != list(schema):
        raise PeerError(f"{what} does not have exactly the fields {', '.join(schema)}; {_ADVICE}")
    for name, kind in schema.items():
        if type(fields[name]) is not kind:
            raise PeerError(f"{what}: {name} is a {type(fields[name]).__name__}, not a {kind.__name__}; {_ADVICE}")
    if _canonical(fields) != data:
        raise PeerError(f"{what} is not in its one canonical form; {_ADVICE}")
    return fields


def _canonical(fields: dict[str, Any]) -> bytes:
    """Nothing for a value that no sender could have written: a lone surrogate has no UTF-8."""
    try:
        return write_fields(fields)
    except ValueError:
        return b""
