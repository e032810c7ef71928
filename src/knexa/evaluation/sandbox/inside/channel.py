"""Framed messages over a pair of pipes, read and written one at a time."""

from __future__ import annotations

import os

from .wire import FRAME_LIMIT, WireError, frame

_CHUNK = 1 << 16


class ChannelClosedError(Exception):
    """The other side is gone."""


class Channel:
    def __init__(self, read: int, write: int) -> None:
        self._read = read
        self._write = write

    def send(self, payload: bytes) -> None:
        """Write one frame. Raises ChannelClosedError when nobody reads any more, WireError when the payload is over the limit."""
        if len(payload) > FRAME_LIMIT:
            raise WireError(f"a value of {len(payload)} bytes is over the limit of {FRAME_LIMIT}")
        view = memoryview(frame(payload))
        try:
            while view:
                view = view[os.write(self._write, view) :]
        except BrokenPipeError:
            raise ChannelClosedError from None

    def receive(self) -> bytes:
        """Read one frame. Raises ChannelClosedError at the end of the pipe, WireError when a frame is over the limit."""
        size = int.from_bytes(self._exactly(4), "little")
        if size > FRAME_LIMIT:
            raise WireError(f"a frame of {size} bytes is over the limit of {FRAME_LIMIT}")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = os.read(self._read, min(size - len(data), _CHUNK))
            if not piece:
                raise ChannelClosedError
            data += piece
        return bytes(data)
