"""How much one caller may ask: so much at once, so much a minute, and never at the cost of another."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from knexa.service.identity import Identity
from knexa.service.wire import callers
from knexa.service.wire.callers import A_MINUTE, AT_ONCE, BusyError, Callers

ONE, OTHER = Identity("north", "a"), Identity("south", "b")


def call(port: Callers, who: Identity, now: float) -> bool:
    try:
        with port.calling(who, now):
            return True
    except BusyError:
        return False


def test_a_minute_has_so_many_calls_whatever_others_do() -> None:
    """A burst is answered until the bucket is empty; it fills again with time, and another caller has one of its own."""
    port = Callers()
    assert sum(call(port, ONE, 5.0) for _ in range(2 * A_MINUTE)) == A_MINUTE
    assert call(port, OTHER, 5.0)
    assert sum(call(port, ONE, 35.0) for _ in range(2 * A_MINUTE)) == A_MINUTE / 2
    assert sum(call(port, ONE, 1e6) for _ in range(2 * A_MINUTE)) == A_MINUTE


def test_so_many_calls_go_on_at_once() -> None:
    """The next one waits for one of them to end, however it ends."""
    port = Callers()
    with ExitStack() as open_calls:
        for _ in range(AT_ONCE):
            open_calls.enter_context(port.calling(ONE, 1.0))
        assert not call(port, ONE, 1.0)
        assert call(port, OTHER, 1.0)
    with pytest.raises(ZeroDivisionError), port.calling(ONE, 1.0):
        raise ZeroDivisionError
    assert all(call(port, ONE, 2.0) for _ in range(AT_ONCE))


def test_memory_is_bounded_by_who_calls_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who floods is not forgotten for it; who is quiet costs nothing."""
    monkeypatch.setattr(callers, "MOST_KNOWN", 10)
    port = Callers()
    while call(port, ONE, 100.0):
        pass
    for number in range(50):
        assert call(port, Identity("north", f"agent-{number}"), 100.0 if number < 25 else 101.0)
    assert not call(port, ONE, 100.05)
    assert call(port, Identity("north", "later"), 200.0)
    assert len(port._known) == 1
