from __future__ import annotations

import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from itertools import chain, islice
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knexa.evaluation.sandbox.inside.wire import Frames, WireError, decode, encode, frame

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
)
KEYS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=5)
VALUES = st.recursive(
    KEYS, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.sets(KEYS) | st.dictionaries(KEYS, inner), max_leaves=20
)


def _spelled(value: Any) -> Any:
    """The value with types, signed zeros and NaN spelled out and sets in order, so that only equal things compare equal."""
    if isinstance(value, dict):
        return "dict", [(_spelled(key), _spelled(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, map(_spelled, value)))
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_spelled(item) for item in value]
    return type(value).__name__, repr(value)


@given(VALUES)
@example("\ud800 a lone surrogate")
@example([True, 1, 1.0, -0.0, math.nan, math.inf, 0, -1, 255, 256, -256, 1 << 64])
def test_plain_data_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    """Value and types survive at every depth; 1, 1.0 and True stay different, however large the integer."""
    assert _spelled(decode(encode(value))) == _spelled(value)


@given(st.binary(max_size=200))
@example(b"l\xff\xff\xff\xff")
@example(b"d\x01\x00\x00\x00l\x00\x00\x00\x00N")
@example(b"l\x01\x00\x00\x00" * 5000)
@example(b"r\x03\x00\x00\x00NNN")
@example(b"m\x01\x00\x00\x00N")
@example(b"s\x01\x00\x00\x00\xff")
@example(b"B\x04\x00\x00\x00eval")
@example(b"Os\x01\x00\x00\x00ad\x00\x00\x00\x00")
def test_any_bytes_either_decode_or_raise_a_wire_error(data: bytes) -> None:
    """A hostile process can send whatever it likes: the reader never fails in another way."""
    try:
        decode(data)
    except WireError:
        return


@given(VALUES, st.data())
def test_a_cut_or_padded_encoding_is_refused(value: Any, data: st.DataObject) -> None:
    """No prefix of an encoding is an encoding, and nothing may follow one."""
    encoding = encode(value)
    with pytest.raises(WireError):
        decode(encoding[: data.draw(st.integers(0, len(encoding) - 1))])
    with pytest.raises(WireError):
        decode(encoding + b"N")


class _Agreeable:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def _hostile(base: type, value: Any) -> Any:
    """``value`` as a subclass of ``base`` that claims to equal everything and overrides whatever a reader might call."""
    lies = {
        name: lambda self, *_: 12345
        for name in ("__int__", "__index__", "__float__", "__len__", "__iter__", "__getitem__", "encode", "keys")
    }
    return type("Lie", (_Agreeable, base), lies)(value)


@pytest.mark.parametrize(
    "value",
    [7, 1.5, 2 + 1j, "text", b"bytes", bytearray(b"bytes"), [1, 2], (1, 2), {1, 2}, frozenset({1, 2}), {1: 2}],
    ids=lambda v: type(v).__name__,
)
def test_a_subclass_arrives_as_what_it_is_not_as_what_it_says(value: Any) -> None:
    """Overridden comparison, conversion and iteration have no effect on what is sent."""
    lie = _hostile(type(value), value)
    assert lie == "anything"
    again = decode(encode(lie))
    assert type(again) is type(value)
    assert again == value


def test_collections_keep_what_equality_sees() -> None:
    """Counter, defaultdict, OrderedDict and named tuples arrive as the plain type that they are equal to."""
    point = namedtuple("point", "x y")
    for value in (Counter("aab"), defaultdict(list, {1: [2]}), OrderedDict([(2, 1), (1, 2)]), point(1, 2), deque([1, 2]), range(3, 9, 2)):
        assert decode(encode(value)) == value


def test_views_and_iterators_do_not_turn_into_lists() -> None:
    """A generator does not equal a list outside the sandbox, so it must not inside; its items still arrive."""
    iterator = decode(encode(x * x for x in range(4)))
    assert iterator != [0, 1, 4, 9]
    assert list(iterator) == [0, 1, 4, 9]
    keys, values, items = decode(encode(({1: 2}.keys(), {1: 2}.values(), {1: 2}.items())))
    assert (keys == {1}, values == [2], list(values), items == {(1, 2)}) == (True, False, [2], True)


@pytest.mark.parametrize(
    "value",
    [object(), len, lambda: 1, _Agreeable(), _Agreeable, iter(int, 1), type("int", (), {})],
    ids=[
        "object",
        "builtin",
        "lambda",
        "agreeable",
        "class",
        "iterator",
        "posing as int",
    ],  # repr holds addresses: two workers would differ
)
def test_what_is_not_plain_data_is_not_sent(value: Any) -> None:
    """Objects, functions, classes and endless iterators have no encoding."""
    with pytest.raises(WireError):
        encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle is a WireError, not an endless loop."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(WireError, match="contains itself"):
        encode(cycle)


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 40))
def test_frames_are_cut_at_their_ends_however_the_pipe_chops_them(payloads: list[bytes], step: int) -> None:
    """Fed in pieces of any size, the payloads come out whole and in order."""
    stream = b"".join(map(frame, payloads))
    frames = Frames()
    pieces = (stream[at : at + step] for at in range(0, len(stream), step))
    assert list(islice(chain.from_iterable(map(frames.feed, pieces)), len(payloads) + 1)) == payloads


def test_a_frame_that_announces_more_than_the_limit_is_refused() -> None:
    """Before a byte of it is stored."""
    with pytest.raises(WireError, match="over the limit"):
        Frames(limit=10).feed(b"\x0b\x00\x00\x00")
