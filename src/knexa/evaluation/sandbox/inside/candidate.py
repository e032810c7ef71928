"""The untrusted process: runs the program under test and answers calls of its entry point with plain data.

Nothing here is believed by anyone. A program may walk up to these frames, rewrite them, or write to the channel itself:
all that it gains is to answer calls, which it may do anyhow. It never holds the test or an expected value.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from .channel import Channel, ChannelClosedError
from .confinement import Confinement, forget_modules
from .wire import decode, encode

READ, WRITE = 3, 4
_OUT_OF_MEMORY = encode(("raise", ["MemoryError"], "memory limit"))
_READY = encode(("ready",))


def run(confinement: Confinement, read: int, write: int) -> None:
    """Serve one check over the pipe ends ``read`` and ``write``, in a process forked for it. Returns when the judge left."""
    confinement.enter({read: READ, write: WRITE})
    channel = Channel(READ, WRITE)
    try:
        program, entry_point = decode(channel.receive())
        forget_modules(__name__.rpartition(".")[0])
        namespace: dict[str, Any] = {}
        channel.send(_load(program, namespace))
        while True:
            channel.send(_answer(namespace, entry_point, channel.receive()))
    except ChannelClosedError:
        return


def _load(program: str, namespace: dict[str, Any]) -> bytes:
    try:
        module = ModuleType("program")
        namespace.update(module.__dict__)
        exec(compile(program, "<program>", "exec", dont_inherit=True), namespace)
    except BaseException as error:  # noqa: BLE001 - whatever a program raises, SystemExit included, is its result
        return _raised(error)
    return _READY


def _answer(namespace: dict[str, Any], entry_point: str, request: bytes) -> bytes:
    """Reply to one call: the value and, where the call changed its arguments in place, the arguments as they are now."""
    try:
        classes = {name: value for name, value in namespace.items() if isinstance(value, type)}
        arguments, keywords = decode(request, classes)
        if entry_point not in namespace:
            raise NameError(f"the program does not define {entry_point}")
        value = namespace[entry_point](*arguments, **keywords)
        after = encode((arguments, keywords), classes)
        return encode(("value", value, None if after == request else (arguments, keywords)), classes)
    except BaseException as error:  # noqa: BLE001 - whatever a program raises, SystemExit included, is its result
        return _raised(error)


def _raised(error: BaseException) -> bytes:
    if isinstance(error, MemoryError):
        return _OUT_OF_MEMORY
    names = [base.__name__ for base in type(error).__mro__]
    try:
        text = str(error)[:300]
    except BaseException as second:  # noqa: BLE001 - __str__ is the program's code too
        text = f"(its text cannot be read: {type(second).__name__})"
    return encode(("raise", names, text))


def leave() -> None:
    """End the process without running exit handlers, which could be the program's."""
    os._exit(0)
