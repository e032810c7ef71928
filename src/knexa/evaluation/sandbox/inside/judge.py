"""The trusted process of a check: runs the problem's own test, with a proxy where the candidate would stand.

Tests and verdict live here, the program lives in another process; only plain data passes (see ``wire``). So there is
nothing for a program to patch, nothing to overhear and no way to say "passed" but to return what the test expects.
"""

from __future__ import annotations

import builtins
import os
from collections import deque
from typing import Any

from .channel import Channel, ChannelClosedError
from .confinement import Confinement
from .wire import WireError, decode, encode

READ, WRITE, RESULT = 3, 4, 5
#: First byte of a result: the verdict's letter. ``X``: the candidate's process ended on its own; how, its parent knows.
PASSED, FAILED, ERROR, TIMEOUT, STALLED, MEMORY, DIED = b"P", b"F", b"E", b"T", b"W", b"M", b"X"
_DETAIL_BYTES = 400


class _Broken(BaseException):
    """The candidate's side broke the exchange. No Exception: a test's own ``except Exception`` must not hide it."""

    def __init__(self, letter: bytes, detail: str) -> None:
        super().__init__(detail)
        self.letter = letter
        self.detail = detail


class _CandidateError(Exception):
    """The program raised an exception of a class of its own."""


class _Candidate:
    """Stands for the entry point: sends the arguments over, brings back the value or raises what the program raised."""

    def __init__(self, channel: Channel, classes: dict[str, type]) -> None:
        self._channel = channel
        self._classes = classes
        self.broken: _Broken | None = None

    def start(self, program: str, entry_point: str) -> None:
        self._channel.send(encode((program, entry_point)))

    def await_loaded(self) -> None:
        reply = self._receive()
        if reply[0] != "ready":
            name, text = _named(reply)
            raise _Broken(MEMORY if name == "MemoryError" else ERROR, f"{name}: {text}")

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if self.broken is not None:
            raise self.broken
        self._send(encode((arguments, keywords), self._classes))
        reply = self._receive()
        if reply[0] != "value" or len(reply) != 3:
            raise _exception(*_named(reply))
        if reply[2] is not None:
            _take_over((arguments, keywords), reply[2])
        return reply[1]

    def _send(self, payload: bytes) -> None:
        try:
            self._channel.send(payload)
        except ChannelClosedError:
            raise self._break(DIED, "the program ended its own process") from None

    def _receive(self) -> tuple[Any, ...]:
        try:
            reply = decode(self._channel.receive(), self._classes)
        except ChannelClosedError:
            raise self._break(DIED, "the program ended its own process") from None
        except WireError as error:
            raise self._break(ERROR, f"the program wrote to the judge's channel: {error}") from None
        if type(reply) is not tuple or not reply:
            raise self._break(ERROR, "the program wrote to the judge's channel")
        return reply

    def _break(self, letter: bytes, detail: str) -> _Broken:
        self.broken = _Broken(letter, detail)
        return self.broken


def _named(reply: tuple[Any, ...]) -> tuple[list[str], str] | tuple[str, str]:
    if len(reply) == 3 and type(reply[1]) is list and reply[1] and all(type(item) is str for item in [*reply[1], reply[2]]):
        for name in reply[1]:
            if name in builtins.__dict__:
                return name, f"{reply[2]}"
    return "RuntimeError", "the program wrote to the judge's channel"


def _exception(name: str, text: str) -> BaseException:
    """The builtin exception of that name; anything that is no Exception comes back as one, lest it end the judge.

    So does StopIteration: raised below a test's ``map(candidate, ...)``, it would end the loop over the results without an error.
    """
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (StopIteration, StopAsyncIteration)):
        try:
            return kind(text)
        except TypeError:  # UnicodeDecodeError and a few more want other arguments
            return _CandidateError(f"{name}: {text}")
    return _CandidateError(f"{name}: {text}")


def _take_over(ours: Any, theirs: Any) -> None:
    """Make our mutable arguments look as the call left theirs, keeping the identity of every container that still fits."""
    if type(ours) is not type(theirs):
        return
    if isinstance(ours, tuple):
        for mine, new in zip(ours, theirs, strict=False):
            _take_over(mine, new)
    elif isinstance(ours, (list, deque)):
        merged = [_merged(mine, new) for mine, new in zip(ours, theirs, strict=False)]
        merged += list(theirs)[len(merged) :]
        ours.clear()
        ours.extend(merged)
    elif isinstance(ours, dict):
        merged_items = {key: _merged(ours.get(key), new) for key, new in theirs.items()}
        ours.clear()
        ours.update(merged_items)
    elif isinstance(ours, set):
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, bytearray):
        ours[:] = theirs
    elif hasattr(ours, "__dict__"):
        _take_over(ours.__dict__, theirs.__dict__)


def _merged(mine: Any, new: Any) -> Any:
    if type(mine) is type(new) and (isinstance(mine, (list, dict, set, deque, bytearray)) or hasattr(mine, "__dict__")):
        _take_over(mine, new)
        return mine
    return new


def run(confinement: Confinement, read: int, write: int, result: int, check: tuple[str, str, str, str]) -> None:
    """Judge one check (program, test, entry point, prelude) in a process forked for it; one write to ``result`` ends it."""
    confinement.enter({read: READ, write: WRITE, result: RESULT})
    letter, detail = _judge(Channel(READ, WRITE), *check)
    os.write(RESULT, letter + detail.encode("utf-8", "replace")[:_DETAIL_BYTES])


def _judge(channel: Channel, program: str, test: str, entry_point: str, prelude: str) -> tuple[bytes, str]:
    namespace: dict[str, Any] = {"__name__": "test"}
    classes: dict[str, type] = {}
    candidate = _Candidate(channel, classes)
    try:
        candidate.start(program, entry_point)
        exec(compile(prelude, "<prelude>", "exec", dont_inherit=True), namespace)
        classes.update({name: value for name, value in namespace.items() if isinstance(value, type) and value.__module__ == "test"})
        namespace[entry_point] = candidate
        exec(compile(test, "<test>", "exec", dont_inherit=True), namespace)
        candidate.await_loaded()
        namespace["check"](candidate)
    except _Broken as error:
        return error.letter, error.detail
    except AssertionError as error:
        return _unless_broken(candidate, FAILED, f"assertion failed {error}")
    except MemoryError:
        return MEMORY, "memory limit"
    except BaseException as error:  # noqa: BLE001 - what a test lets through is the program's error
        return _unless_broken(candidate, ERROR, f"{type(error).__name__}: {error}")
    return _unless_broken(candidate, PASSED, "")


def _unless_broken(candidate: _Candidate, letter: bytes, detail: str) -> tuple[bytes, str]:
    # A bare except in a test can swallow _Broken; the check is lost all the same.
    return (letter, detail) if candidate.broken is None else (candidate.broken.letter, candidate.broken.detail)
