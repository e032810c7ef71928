"""Calls to those who cannot be called: each answer goes to the call it answers, and nobody waits for somebody who is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from knexa.errors import PeerError
from knexa.service.identity import Identity
from knexa.service.relay import switchboard as module
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import NotReadyError

ONE, OTHER = Identity("north", "a"), Identity("south", "b")
GREET = pb.PEER_METHOD_GREET


def run(use: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(use, 20.0))


async def echo(board: Switchboard, who: Identity, calls: int) -> None:
    """Answers so many calls with what was asked, the last one first."""
    heard: list[pb.Relayed] = []
    async for told in board.listen(who):
        heard.append(told)
        if len(heard) == calls:
            for one in reversed(heard):
                board.answer(who, pb.RelayedAnswer(number=one.number, body=who.uri.encode() + one.body))
            return


def test_every_call_gets_its_own_answer() -> None:
    """Many calls at once to two listeners, answered in another order."""

    async def use() -> None:
        board = Switchboard()
        listeners = [asyncio.create_task(echo(board, who, 20)) for who in (ONE, OTHER)]
        asked = [(who, b"%d" % number) for number in range(20) for who in (ONE, OTHER)]
        answers = await asyncio.gather(*(board.call(who, b"certificate", GREET, body) for who, body in asked))
        assert [answer.body for answer in answers] == [who.uri.encode() + body for who, body in asked]
        assert board.calls == 40
        await asyncio.gather(*listeners)

    run(use())


def test_a_call_waits_for_its_listener_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a line a little later still gets the call; where nobody does, the caller may try again."""
    monkeypatch.setattr(module, "LISTENER_S", 0.3)

    async def use() -> None:
        board = Switchboard()
        call = asyncio.create_task(board.call(ONE, b"", GREET, b"x"))
        await asyncio.sleep(0.1)
        await echo(board, ONE, 1)
        assert (await call).body == b"knexa://north/ax"
        with pytest.raises(NotReadyError):
            await board.call(OTHER, b"", GREET, b"x")

    run(use())


def test_a_lost_line_ends_its_calls() -> None:
    """The caller hears it at once and tries again; an answer that comes too late, or from somebody else, is refused."""

    async def use() -> None:
        board = Switchboard()
        line = board.listen(ONE)
        first = asyncio.create_task(anext(aiter(line)))
        call = asyncio.create_task(board.call(ONE, b"", GREET, b"x"))
        told = await first
        with pytest.raises(PeerError, match="nobody waits for"):
            board.answer(OTHER, pb.RelayedAnswer(number=told.number))
        await line.aclose()
        with pytest.raises(NotReadyError, match="listens no more"):
            await call
        with pytest.raises(PeerError, match="nobody waits for"):
            board.answer(ONE, pb.RelayedAnswer(number=told.number))

    run(use())


def test_one_listener_is_not_waited_for_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound callers are sent away; a method that no agent has is nobody's."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)

    async def use() -> None:
        board = Switchboard()
        listener = asyncio.create_task(echo(board, ONE, 3))
        await asyncio.sleep(0)
        calls = [asyncio.create_task(board.call(ONE, b"", GREET, b"x")) for _ in range(5)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == [
            "NotReadyError",
            "NotReadyError",
            "RelayedAnswer",
            "RelayedAnswer",
            "RelayedAnswer",
        ]
        await listener
        with pytest.raises(PeerError, match="no method"):
            await board.call(ONE, b"", pb.PEER_METHOD_UNSPECIFIED, b"x")

    run(use())


def test_what_was_given_up_takes_no_room() -> None:
    """Callers that go away before a listener that does not read has heard them leave nothing behind, however many they are."""

    async def use() -> None:
        board = Switchboard()
        line = board.listen(ONE)
        first = asyncio.create_task(anext(aiter(line)))
        await asyncio.sleep(0)
        kept = asyncio.create_task(board.call(ONE, b"", GREET, b"kept"))
        told = await first
        for _ in range(200):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(board.call(ONE, b"", GREET, bytes(1000)), 0.001)
        assert board.held == len(b"kept")
        last = asyncio.create_task(board.call(ONE, b"", GREET, b"last"))
        assert (await anext(line)).body == b"last", "those that were given up are passed over"
        board.answer(ONE, pb.RelayedAnswer(number=told.number))
        await kept
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
        assert board.held == 0
        await line.aclose()

    run(use())


def test_a_call_is_no_larger_than_an_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call and all that wait are bounded in bytes."""

    async def use() -> None:
        board = Switchboard()
        listener = asyncio.create_task(echo(board, ONE, 1))
        await asyncio.sleep(0)
        with pytest.raises(PeerError, match="is no exchange"):
            await board.call(ONE, b"", GREET, bytes(module.MOST_CALL_BYTES + 1))
        monkeypatch.setattr(module, "MOST_HELD_BYTES", 10)
        with pytest.raises(NotReadyError):
            await board.call(ONE, b"", GREET, bytes(11))
        await board.call(ONE, b"", GREET, bytes(10))
        await listener

    run(use())
