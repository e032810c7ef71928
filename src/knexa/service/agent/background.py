"""What goes on beside an agent's queue: tasks that nothing may lose in silence, and the one timer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from knexa.service.agent.inputs import Broke, Input, Woke


class Background:
    """Puts :class:`Broke` into the queue when a task fails, or is cancelled before :meth:`end`; :class:`Woke` when time is up."""

    def __init__(self, put: Callable[[Input], None]) -> None:
        self._put = put
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ending = False

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def wake_at(self, at: float) -> None:
        """``at``: Unix seconds; infinity is never. One timer: a machine waits for one thing at a time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if math.isfinite(at):
            delay = max(at - time.time(), 0.01)
            self._timer = asyncio.get_running_loop().call_later(delay, self._put, Woke())

    async def end(self) -> None:
        """Stop everything."""
        self._ending = True
        self.wake_at(math.inf)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            if not self._ending:
                self._put(Broke(RuntimeError("a part of the agent was cancelled while it was needed")))
        elif (error := task.exception()) is not None:
            self._put(Broke(error))
