"""``knexa agent join``: one process that runs one agent to the end of its federation.

A shell around the protocol's state machine: messages and times in, actions out. Everything goes through one queue, so nothing happens
at the same time as anything else; every step is on disk before anybody hears of it. The model works in a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knexa.config import FederationConfig, organisations
from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.package import KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import VerifyingKey
from knexa.matching.terms import terms_of
from knexa.participant.contract import load_workplace
from knexa.protocol.agent import Action, Agent, Phase
from knexa.protocol.messages import (
    COORDINATOR,
    ExchangeFailed,
    Matched,
    Message,
    OutcomeReported,
    ProfileReported,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, PeerMessage, SendPeer, Study, Teach, Train, Work
from knexa.service.agent.connection import CpmConnection
from knexa.service.agent.exchange import Ourselves, TeachersPort, learn_from
from knexa.service.agent.inputs import Broke, Done, Heard, Input, Unreachable, Woke, describe
from knexa.service.agent.store import AgentStore, Memory
from knexa.service.agent.workbench import Workbench
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.revocation import EVERY_S, admit, question
from knexa.service.settings import settings_hash
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import Server

#: A student gives its teacher up after this share of a phase, as in a simulation.
PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """``folder``: what the agent keeps. ``identity``: folder of its key and certificate. ``cpm``: HOST:PORT, and ``operator`` who runs it.

    ``listen``: HOST:PORT for its peers; ``reached_at``: under which address they reach it (None: where it listens).
    """

    config: FederationConfig
    folder: Path
    identity: Path
    cpm: str
    operator: str
    listen: str
    reached_at: str | None = None
    workplace: str = "knexa.participant.workplace:LearningWorkplace"


def join(plan: AgentPlan, note: Callable[[str], None]) -> None:
    """Run until the federation is over and everything is reported. ``note`` gets lines for whoever watches."""
    credentials = Credentials(plan.identity)
    credentials.require_valid(utc_now())
    name = credentials.identity.name
    members = {agent: Identity(organisation, agent) for agent, organisation in organisations(plan.config).items()}
    if members.get(name) != credentials.identity:
        raise ConfigurationError(f"{plan.identity}: is {credentials.identity}, which is no agent of this federation.toml; see agents[]")
    place = load_workplace(plan.workplace, plan.config)
    bench = Workbench(name, plan.config, place, plan.folder)
    try:
        asyncio.run(_Process(plan, name, members, credentials, bench, note).run())
    finally:
        bench.close()
        place.close()


class _Process:
    def __init__(
        self,
        plan: AgentPlan,
        name: str,
        members: Mapping[str, Identity],
        credentials: Credentials,
        bench: Workbench,
        note: Callable[[str], None],
    ) -> None:
        self._plan, self._name, self._members, self._credentials, self._bench, self._note = plan, name, members, credentials, bench, note
        self._store = AgentStore(plan.folder)
        self._inputs: asyncio.Queue[Input] = asyncio.Queue()
        self._reports = asyncio.Event()
        self._told: dict[str, tuple[bytes, str, int]] = {}
        self._calling: set[str] = set()
        self._finishing = False
        self._ending = False
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self._memory = self._store.load() or await self._beginning()
        deadline = self._plan.config.transport.deadline_s
        transfer_set = await self._bench.transfer_set()
        self._machine = Agent(
            self._name,
            list(self._members),
            transfer_set=transfer_set,
            budget=self._plan.config.distillation.prompts,
            patience=deadline * PATIENCE,
            terms=terms_of(self._plan.config)[self._name],
        )
        self._machine.state = self._memory.machine
        if self._over():
            return  # started again after its end: nobody needs to hear of it
        self._cpm = CpmConnection(self._plan.cpm, Identity(self._plan.operator, CPM), self._credentials, self._note)
        with SeenTickets(self._plan.folder / "tickets", time.time()) as seen:
            server = Server(self._credentials, utc_now, self._note)
            await self._enter(server, seen, transfer_set)
            try:
                await self._live()
            finally:
                self._ending = True
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                await server.stop(1.0)
                await self._cpm.close()

    async def _beginning(self) -> Memory:
        learner = await self._bench.start()
        memory = Memory(learner, hashlib.sha256(learner).digest())
        self._store.save(memory)
        return memory

    async def _enter(self, server: Server, seen: SeenTickets, transfer_set: str) -> None:
        """Listen for peers, then join: in this order, because the coordinator tells them where."""
        host, _, _ = self._plan.listen.rpartition(":")
        self._port = TeachersPort(seen, lambda student, request: self._inputs.put_nowait(Heard(student, KnowledgeRequested(request))))
        self._port.add_to(server)
        port = await server.listen(self._plan.listen)
        if self._plan.reached_at is None and host.strip("[]") in ("0.0.0.0", "::", ""):
            raise ConfigurationError(f"--listen {self._plan.listen}: say with --reached-at under which HOST:PORT peers reach this agent")
        address = self._plan.reached_at or f"{host}:{port}"
        request = pb.JoinRequest(
            transfer_set=transfer_set, address=address, config=settings_hash(self._plan.config), start=self._memory.start
        )  # fmt: skip
        federation = await self._cpm.join(request)
        operator = Identity(self._plan.operator, CPM)
        if self._credentials.trust.verify(federation.certificate, utc_now(), "server") != operator:
            raise PeerError(f"the coordinator at {self._plan.cpm} shows a certificate that is not that of {operator}")
        cpm = VerifyingKey.from_certificate_pem(federation.certificate)
        self._we = Ourselves(federation.federation_id, self._name, self._members, self._credentials, cpm, transfer_set)
        self._port.open(self._we)
        self._note(f"joined federation {federation.federation_id} as {self._credentials.identity}; peers reach it at {address}")

    # --- the one queue

    async def _live(self) -> None:
        self._run(self._listen())
        self._run(self._send_reports())
        self._run(self._hear_of_revoked())
        self._resume()
        while not self._over():
            try:
                taken = self._decide(await self._inputs.get())
            except PeerError as error:
                self._note(f"refused: {error}")
                continue
            self._memory.machine = self._machine.state
            self._store.save(self._memory)
            for action in taken:
                self._perform(action)
            self._finish()

    def _resume(self) -> None:
        """Go on with what was in hand; what waits for a peer goes on when the coordinator has said again who that is."""
        if self._memory.work is not None:
            self._run(self._work(self._memory.work))
        self._finish()
        self._wake_at(self._machine.state.deadline)
        self._reports.set()

    def _finish(self) -> None:
        """When the federation is over, evaluate and save the adapter, once."""
        if self._machine.state.phase is Phase.FINISHED and "end" not in self._memory.evaluated and not self._finishing:
            self._finishing = True
            self._run(self._work(None))

    def _over(self) -> bool:
        done = self._machine.state.phase is Phase.FINISHED and "end" in self._memory.evaluated
        return done and not self._memory.outbox

    def _decide(self, heard: Input) -> list[Action]:
        now = time.time()
        match heard:
            case Heard(sender, message):
                return self._hear(sender, message, now)
            case Woke():
                actions = self._keep(self._machine.on_time(now))
                self._wake_at(self._machine.state.deadline)  # the wall clock may have been behind the timer
                return actions
            case Unreachable(match_id):
                return self._keep(self._machine.on_unreachable(match_id, now))
            case Broke(error):
                raise error
            case Done(scores, result, learner):
                self._memory.learner, self._memory.work = learner, None
                for stage, fields in scores.items():
                    self._memory.evaluated.append(stage)
                    self._report(f"evaluation-{stage}", fields)
                return [] if result is None else self._keep(self._machine.on_result(result, now))

    def _hear(self, sender: str, message: Message | PeerMessage, now: float) -> list[Action]:
        try:
            actions = self._keep(self._machine.on_message(sender, message, now))
        except PeerError as error:
            self._tell_refusal(message, error)
            raise
        if isinstance(message, Matched) and self._machine.state.phase is Phase.AWAITING:
            self._call_teacher()  # after a restart, or with the address of a teacher that has moved
        return actions

    def _tell_refusal(self, message: Message | PeerMessage, error: PeerError) -> None:
        """Whoever would wait for what this agent does not do hears of it: the coordinator, a student, or this agent itself."""
        match message:
            case Matched(match_) if match_.student == self._name:
                self._report(f"failure-{match_.match_id}", ExchangeFailed(match_.match_id, codec.REFUSED))
                self._store.save(self._memory)
            case KnowledgeRequested(request):
                self._port.refuse(request.match_id, error)
            case KnowledgeSent(package):
                self._inputs.put_nowait(Unreachable(package.match_id))

    def _keep(self, actions: list[Action]) -> list[Action]:
        """Note what is to be on disk before anything of it happens: work that begins, reports that are due."""
        for action in actions:
            match action:
                case Train() | Ask() | Teach() | Study():
                    self._memory.work = action
                case Send(_, ProfileReported(profile)):
                    self._report(f"profile-{profile.round}", ProfileReported(profile))
                case Send(_, OutcomeReported(outcome)):
                    self._report(f"outcome-{outcome.match_id}", OutcomeReported(outcome))
                case Send(_, ExchangeFailed(match_id, reason)):
                    self._report(f"failure-{match_id}", ExchangeFailed(match_id, reason))
        return actions

    def _report(self, report_id: str, what: codec.Report) -> None:
        self._memory.outbox.append(codec.report(report_id, what).SerializeToString())
        self._reports.set()

    def _perform(self, action: Action) -> None:
        match action:
            case Train() | Ask() | Teach() | Study():
                self._note(describe(action))
                self._run(self._work(action))
            case WakeAt(at):
                self._wake_at(at)
            case SendPeer(_, KnowledgeRequested()):
                self._call_teacher()
            case SendPeer(_, KnowledgeSent(package)):
                self._port.answer(package)
            case _:
                return  # reports are in the outbox already

    # --- what goes on beside it

    async def _listen(self) -> None:
        async for told in self._cpm.directives():
            try:
                message = codec.from_directive(told)
            except PeerError as error:
                self._note(f"refused: {error}")
                continue
            if isinstance(message, RoundOpened):
                self._port.forget(message.round)
                self._told = {match_id: kept for match_id, kept in self._told.items() if kept[2] >= message.round}
            if isinstance(message, Matched):
                self._told[message.match.match_id] = (told.matched.ticket, told.matched.address, message.match.round)
            self._inputs.put_nowait(Heard(COORDINATOR, message))

    async def _send_reports(self) -> None:
        while True:
            await self._reports.wait()
            self._reports.clear()
            while self._memory.outbox:
                try:
                    await self._cpm.report(self._memory.outbox[0])
                except PeerError as error:
                    self._note(f"a report was refused: {error}")
                del self._memory.outbox[0]
                self._store.save(self._memory)
            self._inputs.put_nowait(Woke())

    async def _hear_of_revoked(self) -> None:
        trust, own = self._credentials.trust, self._credentials.identity.organisation
        said = ""
        while True:
            try:
                news = admit((await self._cpm.revoked(question(trust, own))).lists, trust)
            except PeerError as error:
                if str(error) != said:
                    self._note(f"refused a list of revoked certificates: {error}")
                said = str(error)
            else:
                if news:
                    self._note(f"{news} new lists of revoked certificates")
            await asyncio.sleep(EVERY_S)

    async def _work(self, work: Work | None) -> None:
        self._inputs.put_nowait(await self._bench.do(work, self._memory.learner, self._memory.evaluated))

    def _call_teacher(self) -> None:
        """Ask for knowledge, if it is known where, and nobody is asking already."""
        state = self._machine.state
        if state.match is None or state.request is None or state.match.match_id not in self._told or state.match.match_id in self._calling:
            return
        self._calling.add(state.match.match_id)
        self._run(self._learn(state.match.match_id, state.match.teacher, state.request))

    async def _learn(self, match_id: str, teacher: str, request: KnowledgeRequest) -> None:
        ticket, address, _ = self._told[match_id]
        try:
            package = await learn_from(self._we, teacher, address, ticket, request)
        except PeerError as error:
            self._note(f"nothing came of {match_id}: {error}")
            self._inputs.put_nowait(Unreachable(match_id))
        else:
            self._inputs.put_nowait(Heard(teacher, KnowledgeSent(package)))
        finally:
            self._calling.discard(match_id)

    def _wake_at(self, at: float) -> None:
        """One timer: the machine waits for one thing at a time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if math.isfinite(at):
            delay = max(at - time.time(), 0.01)
            self._timer = asyncio.get_running_loop().call_later(delay, self._inputs.put_nowait, Woke())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the queue. What goes wrong in it ends the process: nothing may be lost in silence."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            if not self._ending:
                self._inputs.put_nowait(Broke(RuntimeError("a part of the agent was cancelled while it was needed")))
        elif (error := task.exception()) is not None:
            self._inputs.put_nowait(Broke(error))
