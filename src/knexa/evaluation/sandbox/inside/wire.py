"""Plain data as bytes: the only thing that the candidate's process and the judge ever exchange.

Decoding builds exact built-in types and calls no code that the sender chose, so a value from a hostile process cannot
carry an ``__eq__``, a ``__reduce__`` or a lie about its type: a subclass of ``int`` that equals everything arrives as the
``int`` that it is. (pickle runs code, marshal trusts its input, JSON loses tuples, sets, bytes and integer keys.)

==== ==================================================================================================================
tag  payload
==== ==================================================================================================================
N T  None, True and False (F): nothing
i    int: size, two's complement bytes
f c  float: 8 bytes; complex: 16 bytes
s b  str (UTF-8, lone surrogates kept), bytes; y: bytearray
l t  list, tuple; S and Z: set, frozenset; q: deque; all: count, items
d    dict (Counter, defaultdict and OrderedDict too: equal to a dict with the same items): count, key, value, ...
g    an iterator, by its remaining items; k, v, m: keys, values and items view of a dict
r    range: start, stop, step
B    a built-in type (as an argument of ``isinstance``): name
O    an instance of a class that the problem's own prompt defines: class name, dict of attributes
==== ==================================================================================================================
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

#: No frame may be longer, in bytes: a reply that large is no answer to a test.
FRAME_LIMIT = 32 << 20
#: An iterator with more items than this counts as endless.
ITERATOR_LIMIT = 100_000

_SIZE = struct.Struct("<I")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_VIEWS: dict[type, bytes] = {type({}.keys()): b"k", type({}.values()): b"v", type({}.items()): b"m"}
_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, object)
}


class WireError(Exception):
    """Bytes that are no encoding, or a value that has none."""


def encode(value: object, classes: Mapping[str, type] | None = None) -> bytes:
    """Bytes of ``value``. Raises WireError for what is not plain data; ``classes`` may be sent by name and attributes."""
    parts: list[bytes] = []
    try:
        _put(parts, value, classes or {})
    except RecursionError:
        raise WireError("the value is nested too deeply, or contains itself") from None
    return b"".join(parts)


def _put(parts: list[bytes], value: Any, classes: Mapping[str, type]) -> None:
    # type() and the bases' own methods are used throughout: a candidate's subclass may override everything else.
    kind = type(value)
    if value is None or kind is bool:
        parts.append(b"N" if value is None else b"T" if value else b"F")
    elif issubclass(kind, int):
        number = int.__index__(value)
        _put_sized(parts, b"i", int.to_bytes(number, int.bit_length(number) // 8 + 1, "little", signed=True))
    elif issubclass(kind, float):
        parts.append(b"f" + _FLOAT.pack(float.__float__(value)))
    elif issubclass(kind, complex):
        plain = complex.__pos__(value)
        parts.append(b"c" + _COMPLEX.pack(plain.real, plain.imag))
    elif issubclass(kind, str):
        _put_sized(parts, b"s", str.encode(value, "utf-8", "surrogatepass"))
    elif issubclass(kind, bytes):
        _put_sized(parts, b"b", bytes.join(b"", [value]))
    elif issubclass(kind, bytearray):
        _put_sized(parts, b"y", bytes(memoryview(value)))
    elif issubclass(kind, dict):
        _put_dict(parts, b"d", value, classes)
    else:
        _put_other(parts, value, kind, classes)


def _put_other(parts: list[bytes], value: Any, kind: type, classes: Mapping[str, type]) -> None:
    for base, tag in ((list, b"l"), (tuple, b"t"), (set, b"S"), (frozenset, b"Z"), (deque, b"q")):
        if issubclass(kind, base):
            return _put_items(parts, tag, list(base.__iter__(value)), classes)
    if kind in _VIEWS:
        return _put_items(parts, _VIEWS[kind], list(value), classes)
    if kind is range:
        return _put_items(parts, b"r", [value.start, value.stop, value.step], classes)
    if kind is type and value in _TYPES.values():
        return _put_sized(parts, b"B", type.__repr__(value).split("'")[1].encode())
    if classes.get(kind.__name__) is kind:
        parts.append(b"O")
        _put(parts, kind.__name__, classes)
        return _put_dict(parts, b"d", object.__getattribute__(value, "__dict__"), classes)
    if hasattr(kind, "__next__"):
        items = list(islice(value, ITERATOR_LIMIT + 1))
        if len(items) > ITERATOR_LIMIT:
            raise WireError(f"an iterator of more than {ITERATOR_LIMIT} items cannot be tested")
        return _put_items(parts, b"g", items, classes)
    raise WireError(f"a value of type {kind.__name__} is not plain data")


def _put_sized(parts: list[bytes], tag: bytes, payload: bytes) -> None:
    parts.append(tag + _SIZE.pack(len(payload)))
    parts.append(payload)


def _put_items(parts: list[bytes], tag: bytes, items: list[Any], classes: Mapping[str, type]) -> None:
    parts.append(tag + _SIZE.pack(len(items)))
    for item in items:
        _put(parts, item, classes)


def _put_dict(parts: list[bytes], tag: bytes, value: dict[Any, Any], classes: Mapping[str, type]) -> None:
    parts.append(tag + _SIZE.pack(dict.__len__(value)))
    for key in dict.__iter__(value):
        _put(parts, key, classes)
        _put(parts, dict.__getitem__(value, key), classes)


def decode(data: bytes, classes: Mapping[str, type] | None = None) -> Any:
    """The value in ``data``. Any bytes either decode or raise WireError, nothing else (MemoryError under a limit apart)."""
    reader = _Reader(data, classes or {})
    try:
        value = reader.value()
    except (RecursionError, TypeError, ValueError, struct.error, OverflowError) as error:
        raise WireError(f"no encoding of plain data: {error}") from None
    if reader.at != len(data):
        raise WireError("bytes are left over after the value")
    return value


class _Reader:
    def __init__(self, data: bytes, classes: Mapping[str, type]) -> None:
        self.data = data
        self.at = 0
        self.classes = classes

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise WireError("the value is cut off")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def size(self) -> int:
        number: int = _SIZE.unpack(self.take(4))[0]
        return number

    def items(self) -> list[Any]:
        count = self.size()
        if count > len(self.data) - self.at:
            raise WireError("the value is cut off")
        return [self.value() for _ in range(count)]

    def pairs(self) -> dict[Any, Any]:
        pairs = {}
        for _ in range(self.size()):
            key = self.value()
            pairs[key] = self.value()
        return pairs

    def type_named(self) -> type:
        name = self.take(self.size()).decode("utf-8", "replace")
        if name not in _TYPES:
            raise WireError(f"no built-in type {name!r}")
        return _TYPES[name]

    def instance(self) -> object:
        name, state = self.value(), self.value()
        if type(name) is not str or name not in self.classes or type(state) is not dict:
            raise WireError(f"no class {name!r} in the prompt")
        instance: object = object.__new__(self.classes[name])
        instance.__dict__.update(state)
        return instance

    def value(self) -> Any:
        read = _READERS.get(self.take(1))
        if read is None:
            raise WireError("unknown tag")
        return read(self)


def _view(make: Callable[[Any], Any]) -> Callable[[_Reader], Any]:
    return lambda reader: make(reader.items())


def _dict_of(items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    return dict(items)


_READERS: dict[bytes, Callable[[_Reader], Any]] = {
    b"N": lambda reader: None,
    b"T": lambda reader: True,
    b"F": lambda reader: False,
    b"i": lambda reader: int.from_bytes(reader.take(reader.size()), "little", signed=True),
    b"f": lambda reader: _FLOAT.unpack(reader.take(8))[0],
    b"c": lambda reader: complex(*_COMPLEX.unpack(reader.take(16))),
    b"s": lambda reader: reader.take(reader.size()).decode("utf-8", "surrogatepass"),
    b"b": lambda reader: reader.take(reader.size()),
    b"y": lambda reader: bytearray(reader.take(reader.size())),
    b"l": _Reader.items,
    b"t": _view(tuple),
    b"S": _view(set),
    b"Z": _view(frozenset),
    b"q": _view(deque),
    b"g": _view(iter),
    b"d": _Reader.pairs,
    b"k": _view(lambda items: dict.fromkeys(items).keys()),
    b"v": _view(lambda items: dict(enumerate(items)).values()),
    b"m": _view(lambda items: _dict_of(items).items()),
    b"r": _view(lambda items: range(*items)),
    b"B": _Reader.type_named,
    b"O": _Reader.instance,
}


def frame(payload: bytes) -> bytes:
    """``payload`` with its length in front, ready to be written to a pipe."""
    return _SIZE.pack(len(payload)) + payload


class Frames:
    """Cuts a stream of bytes back into payloads, however the pipe chopped it."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete after ``data``. Raises WireError when a frame announces more than the limit."""
        self._buffer += data
        payloads = []
        while len(self._buffer) >= 4:
            size: int = _SIZE.unpack_from(self._buffer)[0]
            if size > self._limit:
                raise WireError(f"a frame of {size} bytes is over the limit of {self._limit}")
            if len(self._buffer) < 4 + size:
                break
            payloads.append(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]
        return payloads
