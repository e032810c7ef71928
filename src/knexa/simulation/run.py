"""One run from its first byte to its last event: starting states, rounds, evaluations, checkpoints, adapters."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from knexa.baselines.tasks import SERVER
from knexa.config import FederationConfig
from knexa.durable import sync
from knexa.errors import KnexaError
from knexa.participant.contract import Stage
from knexa.protocol.agent import agent_of
from knexa.protocol.assembly import coordinator_of, header_of
from knexa.protocol.coordinator import Phase
from knexa.simulation.central import CentralServer
from knexa.simulation.checkpoint import Checkpoint, drop_checkpoints, write_checkpoint
from knexa.simulation.duration import Duration
from knexa.simulation.engine import Cost, Engine, Job, Pending
from knexa.simulation.forecast import Forecast
from knexa.simulation.job_cache import JobCache, Recalling
from knexa.simulation.job_key import JobKeys
from knexa.simulation.ledgers import Ledgers
from knexa.simulation.loop import Simulation
from knexa.simulation.oracle import trial
from knexa.simulation.processes import Processes
from knexa.simulation.progress import OnProgress, Progress
from knexa.simulation.run_folder import LEAST_FREE, RunFolder, require_space
from knexa.simulation.serial import Serial
from knexa.simulation.transport import Transport

_PHASES = {Phase.PROFILES: "training", Phase.EXCHANGES: "exchange"}


class Run:
    """Everything that a run holds open. :meth:`execute` runs it to its end; :meth:`close` stops it wherever it is."""

    def __init__(
        self,
        config: FederationConfig,
        folder: RunFolder,
        workplace: str,
        duration: Duration,
        on_progress: OnProgress,
        after: Checkpoint | None,
        cache: Path | None,
    ) -> None:
        """``after``: the checkpoint to go on from; None starts at the beginning. ``cache``: folder of known results, if any."""
        self.round = after.closed if after else 0
        self._config = config
        self._folder = folder
        self._names = tuple(agent.name for agent in config.agents)
        self._duration = duration
        self._on_progress = on_progress
        self._after = after
        self._forecast = Forecast(config, rounds_done=self.round, begun=after is not None)
        self._began = time.perf_counter() - (after.seconds if after else 0.0)
        self._phase, self._phase_began = "start", time.perf_counter()
        engine = Processes if config.engine.kind == "processes" else Serial
        with ExitStack() as opening:
            self._log, self._timings = folder.logs(after.kept if after else None)
            opening.callback(self._log.close)
            opening.callback(self._timings.close)
            self._ledgers = Ledgers(folder.path)
            opening.callback(self._ledgers.close)
            self._engine: Engine = engine(config, workplace, self._note)
            opening.callback(self._engine.close)
            if cache is not None:
                self._engine = Recalling(self._engine, JobCache(cache), JobKeys(config, workplace), self._note)
            self._open = opening.pop_all()
        self._server = CentralServer(config, self._engine, self._record)

    def execute(self) -> None:
        """Run to the end. The last event is written when everything else is on disk."""
        states = dict(self._after.states) if self._after else self._starting_states()
        self._server.state = states.pop(SERVER, b"")
        simulation = self._simulation(states)
        if self._after:
            simulation.restore(self._after.snapshot)
        else:
            self._evaluate(states, "start")
            self._server.start(simulation.states)
            self._checkpoint(simulation)
        simulation.run(lambda phase, round: self._enter(simulation, phase, round))
        self._evaluate(states, "end")
        self._save(states)
        participants = {agent: asdict(standing) for agent, standing in simulation.coordinator.standings.items()}
        self._record("end", {"reason": "finished", "rounds": self.round, "participants": participants})
        self._next_phase("done")
        self._timings.append("total", seconds=self._seconds(), peak_rss_mb=self._engine.peak_rss_mb())
        drop_checkpoints(self._folder.path)

    def close(self) -> None:
        """Kill the workers and close the logs. What was written stays, for a resume."""
        self._open.close()

    # --- the beginning

    def _starting_states(self) -> dict[str, bytes]:
        submitted = {name: self._engine.submit(Job("start", "start", name, 0, (name,))) for name in self._names}
        states: dict[str, bytes] = {name: one.result() for name, one in submitted.items()}
        # Two checkpoints side by side, the adapters, and as much again for the logs.
        require_space(self._folder.path, LEAST_FREE + 4 * sum(map(len, states.values())))
        start = hashlib.sha256(b"".join(hashlib.sha256(states[name]).digest() for name in self._names))
        self._record("header", header_of(self._config, start.hexdigest()))
        return states

    def _simulation(self, states: dict[str, bytes]) -> Simulation:
        config = self._config
        coordinator = coordinator_of(config, trial(self._engine, states, config.reward))
        transfer_set: str = self._engine.submit(Job("transfer_set", "transfer-set", "", self.round, ())).result()
        agents = {name: agent_of(config, name, transfer_set) for name in self._names}
        transport = Transport(config.transport, config.seed)
        return Simulation(
            coordinator,
            agents,
            states,
            engine=self._engine,
            transport=transport,
            duration=self._duration,
            record=self._record,
            enter=self._ledgers.enter,
        )

    # --- between and after the rounds

    def _enter(self, simulation: Simulation, phase: Phase, round: int) -> None:
        self.round = round
        if phase in _PHASES:
            self._next_phase(_PHASES[phase])
        if phase is Phase.BETWEEN:
            self._central_step(simulation)
            every = self._config.evaluation.curve_every
            if every and round % every == 0:
                self._evaluate(simulation.states, "round")
            self._checkpoint(simulation)

    def _central_step(self, simulation: Simulation) -> None:
        if self._config.central.method is not None:
            self._next_phase("exchange")
            self._server.step(simulation.states, simulation.busy, self.round)

    def _evaluate(self, states: Mapping[str, bytes], stage: Stage) -> None:
        """Score every agent. A fresh adapter is its backbone itself, so at the start one agent is scored for each backbone."""
        self._next_phase("evaluation")
        shared = {agent.name: agent.backbone if stage == "start" else agent.name for agent in self._config.agents}
        submitted: dict[str, Pending] = {}
        for name, key in shared.items():
            if key not in submitted:
                arguments = (name, states[name], stage, self.round)
                submitted[key] = self._engine.submit(Job("evaluate", f"evaluate-{stage}", name, self.round, arguments))
        scores = {key: one.result() for key, one in submitted.items()}
        for name, key in shared.items():
            self._record("evaluation", {**scores[key], "agent": name, "round": self.round, "stage": stage})

    def _checkpoint(self, simulation: Simulation) -> None:
        self._next_phase("checkpoint")
        for log in (self._folder.events, self._folder.timings):
            sync(log)
        kept = (self._log.size, self._timings.size)
        states = simulation.states | ({SERVER: self._server.state} if self._server.state else {})
        checkpoint = Checkpoint(self.round, kept, self._seconds(), simulation.snapshot(), states)
        write_checkpoint(self._folder.path, checkpoint)

    def _save(self, states: Mapping[str, bytes]) -> None:
        self._next_phase("saving")
        submitted = []
        for name in self._names:
            folder: Path = self._folder.path / "agents" / name / "adapter"
            folder.mkdir(parents=True, exist_ok=True)
            submitted.append(self._engine.submit(Job("save", "save", name, self.round, (name, states[name], folder))))
        for one in submitted:
            one.result()

    # --- records

    def _record(self, kind: str, fields: Mapping[str, Any]) -> None:
        try:
            self._log.append(kind, **fields)
        except (ValueError, TypeError) as error:
            who = f'agent "{fields["agent"]}": ' if "agent" in fields else ""
            raise KnexaError(
                f"{who}the {kind} event of round {self.round} cannot be recorded ({error}); write null for what is not finite"
            ) from error

    def _note(self, cost: Cost) -> None:
        job = cost.job
        row = {"job": job.what, "agent": job.agent, "round": job.round, "seconds": cost.seconds, "worker": cost.worker}
        self._timings.append("job", **row)
        forecast = self._forecast
        forecast.note(cost)
        jobs, eta_s = forecast.jobs, forecast.eta_s()
        self._on_progress(Progress(self.round, self._config.rounds, self._phase, job.agent, job.what, forecast.done, jobs, eta_s))

    def _next_phase(self, phase: str) -> None:
        now = time.perf_counter()
        self._timings.append("phase", phase=self._phase, round=self.round, seconds=now - self._phase_began)
        self._phase, self._phase_began = phase, now

    def _seconds(self) -> float:
        return time.perf_counter() - self._began
