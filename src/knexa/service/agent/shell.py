"""An agent's shell: carries messages, work and time to the protocol's state machine, and does what it asks for.

Everything goes through one queue, so nothing happens at the same time as anything else; every step is on disk before anybody hears of
it. The model works in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from knexa.errors import PeerError
from knexa.exchange.ledger import Departure, Ledger
from knexa.exchange.package import KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.protocol.agent import Action, Agent, Phase
from knexa.protocol.messages import (
    COORDINATOR,
    REFUSED,
    ExchangeFailed,
    Matched,
    Message,
    OutcomeReported,
    ProfileReported,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, PeerMessage, Release, SendPeer, Study, Teach, Train, Work
from knexa.service.agent.background import Background
from knexa.service.agent.connection import CpmConnection
from knexa.service.agent.consent import Consent
from knexa.service.agent.exchanges import Exchanges
from knexa.service.agent.inputs import Broke, Done, Heard, Input, Unreachable, Woke, describe, describe_review
from knexa.service.agent.listening import Listener
from knexa.service.agent.ourselves import Ourselves
from knexa.service.agent.store import AgentStore, Memory
from knexa.service.agent.teachers_port import TeachersPort
from knexa.service.agent.workbench import Workbench
from knexa.service.identity import Identity
from knexa.service.relay.switchboard import Switchboard
from knexa.service.revocation import EVERY_S, admit, question
from knexa.service.wire import codec
from knexa.service.wire.endpoints import NotReadyError

#: How often a lease is renewed before it is over.
RENEWALS = 4


class Shell:
    """One agent from where ``memory`` has it to the end of its federation. ``note`` gets lines for whoever watches."""

    def __init__(
        self,
        name: str,
        machine: Agent,
        memory: Memory,
        store: AgentStore,
        bench: Workbench,
        note: Callable[[str], None],
        consent: Consent,
        ledger: Ledger,
        switchboard: Switchboard,
    ) -> None:
        self._name, self._machine, self._memory, self._store, self._bench, self._note = name, machine, memory, store, bench, note
        self._consent, self._ledger, self._switchboard = consent, ledger, switchboard
        machine.state = memory.machine
        self._inputs: asyncio.Queue[Input] = asyncio.Queue()
        self._beside = Background(self._inputs.put_nowait)
        self._reports = asyncio.Event()
        self._joined: Ourselves | None = None
        self._finishing = False

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do, nor anything to tell."""
        done = self._machine.state.phase is Phase.FINISHED and "end" in self._memory.evaluated
        return done and not self._memory.outbox

    def admit(self, who: Identity) -> None:
        """Whether ``who`` may open a line to here: the teacher of this agent's match, for as long as it is. Raises NotReadyError."""
        match = self._machine.state.match
        if match is None or match.student != self._name or self._we.members.get(match.teacher) != who:
            raise NotReadyError(f"{who} is not the teacher of this agent now")

    @property
    def _we(self) -> Ourselves:
        if self._joined is None:
            raise NotReadyError("this agent has not joined its federation yet")
        return self._joined

    def asked(self, student: str, request: KnowledgeRequest) -> None:
        """A student's request has come in at the port."""
        self._inputs.put_nowait(Heard(student, KnowledgeRequested(request)))

    async def live(self, we: Ourselves, cpm: CpmConnection, port: TeachersPort, listener: Listener | None = None) -> None:
        """Until it is over, through a joined federation. ``listener``: by which calls come in that the port itself does not get."""
        self._joined, self._cpm, self._port = we, cpm, port
        self._exchanges = Exchanges(we, port, self._switchboard, self._beside, self._inputs.put_nowait, self._note)
        if listener is not None:
            self._beside.run(listener.listen(asyncio.Event()))
        try:
            await self._live()
        finally:
            await self._beside.end()

    # --- the one queue

    async def _live(self) -> None:
        self._beside.run(self._listen())
        self._beside.run(self._send_reports())
        self._beside.run(self._hear_of_revoked())
        self._beside.run(self._be_heard_of())
        self._resume()
        while not self.over:
            heard = await self._inputs.get()
            if isinstance(heard, Broke):
                raise heard.error  # whatever it is: a part of the agent is gone
            try:
                taken = self._decide(heard)
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
            self._beside.run(self._work(self._memory.work))
        self._finish()
        self._beside.wake_at(self._machine.state.deadline)
        self._reports.set()

    def _finish(self) -> None:
        """When the federation is over, evaluate and save the adapter, once."""
        if self._machine.state.phase is Phase.FINISHED and "end" not in self._memory.evaluated and not self._finishing:
            self._finishing = True
            self._beside.run(self._work(None))

    def _decide(self, heard: Heard | Done | Woke | Unreachable) -> list[Action]:
        now = time.time()
        match heard:
            case Heard(sender, message):
                return self._hear(sender, message, now)
            case Woke():
                actions = self._keep(self._machine.on_time(now))
                self._beside.wake_at(self._machine.state.deadline)  # the wall clock may have been behind the timer
                return actions
            case Unreachable(match_id):
                return self._keep(self._machine.on_unreachable(match_id, now))
            case Done(scores, result, learner):
                if isinstance(result, Outcome) and not result.accepted:
                    before, after = result.loss_before, result.loss_after
                    self._note(f"{result.match_id} is undone: the validation loss went from {before:.3f} to {after:.3f} nats a token")
                self._memory.learner, self._memory.work = learner, None
                for stage, fields in scores.items():
                    self._memory.evaluated.append(stage)
                    self._report(f"evaluation-{stage}", fields)
                return [] if result is None else self._keep(self._machine.on_result(result, now))

    def _hear(self, sender: str, message: Message | PeerMessage, now: float) -> list[Action]:
        try:
            self._consent.check(message, self._machine.state.match, now)
            actions = self._keep(self._machine.on_message(sender, message, now))
        except PeerError as error:
            self._tell_refusal(message, error)
            raise
        if isinstance(message, Matched) and self._machine.state.match == message.match:
            self._exchanges.call_teacher(self._machine.state)  # after a restart, or with the address of a teacher that has moved
            self._exchanges.visit_student(message.match)
        last = self._machine.state.last
        if isinstance(message, KnowledgeRequested) and last is not None and message.request.match_id == last.match_id:
            self._port.refuse(last.match_id, PeerError(f"round {last.round} is over"))  # ignored here, so nobody is to wait for it
        return actions

    def _tell_refusal(self, message: Message | PeerMessage, error: PeerError) -> None:
        """Whoever would wait for what this agent does not do hears of it: the coordinator, a student, or this agent itself."""
        match message:
            case Matched(match_):
                self._consent.refuse(match_.match_id, str(error))
                if match_.student == self._name:
                    self._report(f"failure-{match_.match_id}", ExchangeFailed(match_.match_id, REFUSED))
                    self._store.save(self._memory)
                else:
                    self._port.refuse(match_.match_id, PeerError("this agent does not do this match"))  # why is nobody else's business
                    self._exchanges.visit_student(match_)  # a student that waits for a line hears of it on that
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
                    if isinstance(action, Study):
                        self._consent.enter(action.match, action.package, time.time())
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
                self._beside.run(self._work(action))
            case WakeAt(at):
                self._beside.wake_at(at)
            case SendPeer(_, KnowledgeRequested()):
                self._exchanges.call_teacher(self._machine.state)
            case Release(match_, vetted):
                self._answer(match_, vetted)
            case _:
                return  # reports are in the outbox already

    def _answer(self, match_: Match, vetted: VettedPackage) -> None:
        """What of it may leave goes to whoever waits for it, once it stands in the book and in the ledger."""
        try:
            for ticket in self._port.waiting(match_):
                now = time.time()
                sent = self._consent.sendable(match_, vetted.package, now).within(ticket.byte_budget)
                self._consent.enter(match_, sent, now)
                self._store.save(self._memory)
                departure = Departure(now, match_.match_id, match_.round, match_.student, match_.protocol, ticket.digest)
                self._ledger.enter(departure, vetted, sent)
                self._port.answer(ticket, sent)
        except PeerError as error:
            self._note(f"not sent: {error}")
            self._port.refuse(match_.match_id, error)
        if vetted.review.by_rule:
            self._note(f"{match_.match_id}: {describe_review(vetted.review)}")

    # --- what goes on beside it

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear_directives()
            except PeerError as error:
                self._note(f"the coordinator says nothing for now: {error}")
                await asyncio.sleep(EVERY_S)

    async def _hear_directives(self) -> None:
        async for told in self._cpm.directives():
            try:
                message = codec.from_directive(told)
                if isinstance(message, Matched):
                    self._exchanges.tell(message.match, told.matched.ticket, codec.from_route(told.matched))
            except PeerError as error:
                self._note(f"refused: {error}")
                continue
            if isinstance(message, RoundOpened):
                self._exchanges.forget(message.round)
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
        trust, own = self._we.credentials.trust, self._we.credentials.identity.organisation
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

    async def _be_heard_of(self) -> None:
        while True:
            try:
                self._we.cpm.take(await self._cpm.alive(self._bench.worked_ms))
            except PeerError as error:
                self._note(f"the coordinator's key stays as it was: {error}")
            await asyncio.sleep(self._bench.lease_s / RENEWALS)

    async def _work(self, work: Work | None) -> None:
        self._inputs.put_nowait(await self._bench.do(work, self._memory.learner, self._memory.evaluated))
