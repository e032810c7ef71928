"""The central step of a simulated run: a server's method between two rounds, its tasks done by the engine.

Its messages are not those of the protocol: they meet no delay and no loss. An agent that is still at work when the round closes is left
out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from knexa.baselines import central_kd, fedavg, fedid
from knexa.baselines.budget import Tally
from knexa.baselines.tasks import SERVER, Carry, R, Task
from knexa.config import FederationConfig
from knexa.events import finite
from knexa.simulation.engine import Engine, Job

Step = Callable[[Carry, Mapping[str, str], FederationConfig, int], Tally | None]

_STEPS: Mapping[str, Step] = {"fedavg": fedavg.step, "central-kd": central_kd.step, "fedid": fedid.step}
_JOBS = {"fedavg": fedavg.jobs, "central-kd": central_kd.jobs, "fedid": fedid.jobs}

#: The method that begins before the first round.
_BEGINS = "fedavg"
#: The method whose server has a model.
_HAS_MODEL = "fedid"


class CentralServer:
    """``state``: of the server's model, bytes as an agent's; empty for a method that has none."""

    def __init__(self, config: FederationConfig, engine: Engine, record: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.state = b""
        self._config, self._engine, self._record = config, engine, record

    def start(self, states: dict[str, bytes]) -> None:
        """Before the first round. ``states``: of all agents; a method may change them."""
        if self._config.central.method == _HAS_MODEL:
            self.state = self._engine.submit(Job("start", "start", SERVER, 0, (SERVER,))).result()
        if self._config.central.method == _BEGINS:
            self.step(states, (), 0)

    def step(self, states: dict[str, bytes], busy: Collection[str], round: int) -> None:
        """After ``round``: one step of the method with all agents but the ``busy``; none without a method, or without agents."""
        method = self._config.central.method
        fleet = {agent.name: agent.backbone for agent in self._config.agents if agent.name not in busy}
        if method is None or not fleet:
            return

        def carry(orders: Sequence[tuple[str, Task[R]]]) -> list[R]:
            return self._carry(orders, states, round)

        tally = _STEPS[method](carry, fleet, self._config, round)
        if tally is not None:
            losses = {"loss_before": finite(tally.loss_before), "loss_after": finite(tally.loss_after)}
            self._record("central", {**asdict(tally), **losses, "method": method, "round": round})

    def _carry(self, orders: Sequence[tuple[str, Task[R]]], states: dict[str, bytes], round: int) -> list[R]:
        submitted = []
        for who, task in orders:
            state = self.state if who == SERVER else states[who]
            what = f"central-{type(task).__name__.lower()}"
            submitted.append(self._engine.submit(Job("assist", what, who, round, (who, task, state, round))))
        results = []
        for (who, _), one in zip(orders, submitted, strict=True):
            result, state = one.result()
            results.append(result)
            if who == SERVER:
                self.state = state
            else:
                states[who] = state
        return results


def central_jobs(config: FederationConfig, rounds: int, *, begun: bool) -> Counter[str]:
    """How many jobs of which kind the steps of ``rounds`` rounds take, and, unless it has ``begun``, the server's start."""
    method = config.central.method
    if method is None:
        return Counter()
    steps = rounds + (method == _BEGINS and not begun)
    each = _JOBS[method]({agent.name: agent.backbone for agent in config.agents})
    jobs = Counter({f"central-{what}": count * steps for what, count in each.items()})
    if method == _HAS_MODEL and not begun:
        jobs["start"] += 1
    return jobs
