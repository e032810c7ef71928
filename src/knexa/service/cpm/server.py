"""The coordinator's gRPC service: who calls, what it may say, and what it is told. Decisions are the conductor's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from knexa.errors import KnexaError, PeerError
from knexa.exchange.limits import LONGEST_LIFE, MOST_BYTES, MOST_PROMPTS
from knexa.exchange.signing import SigningKey, VerifyingKey
from knexa.exchange.ticket import Ticket, sign_ticket
from knexa.matching.match import Match
from knexa.protocol.messages import Matched
from knexa.service.cpm.conductor import Conductor
from knexa.service.cpm.journal import JournalError
from knexa.service.cpm.leases import Leases
from knexa.service.cpm.seats import Said
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.grant import Address
from knexa.service.revocation import exchanged
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import CPM_SERVICE, Server, shows_itself
from knexa.service.wire.route import Reach, route

#: How long an agent that wants to know whether it can be called is tried to be reached.
CALL_BACK_S = 5.0


@dataclass(frozen=True, slots=True)
class TicketTerms:
    """What all tickets of a federation say alike. ``prompts``: most answers of a package. ``seconds``: how long a ticket is good."""

    federation_id: str
    prompts: int
    seconds: float


@dataclass(slots=True)
class _Waiting:
    """A report that is to be taken, and acknowledged then."""

    agent: str
    request: pb.ReportRequest
    taken: asyncio.Future[None] = field(default_factory=asyncio.Future)


class CpmService:
    """The methods of ``Cpm``. Callers are the agents of ``members``, by name, each under the organisation that runs it."""

    def __init__(
        self,
        conductor: Conductor,
        members: Mapping[str, Identity],
        credentials: Credentials,
        terms: TicketTerms,
        leases: Leases,
        clock: Callable[[], float],
        on_input: Callable[[], None],
    ) -> None:
        """``clock``: Unix seconds. ``on_input`` is called after every input that was taken, and when somebody leaves."""
        self._conductor, self._members, self._credentials, self._terms = conductor, members, credentials, terms
        self._leases, self._clock, self._on_input = leases, clock, on_input
        self._signer: tuple[bytes, SigningKey] | None = None
        self._ending = False
        self._waiting: list[_Waiting] = []
        self._news = {agent: asyncio.Event() for agent in members}

    def add_to(self, server: Server) -> None:
        unary = {"Hello": self.hello, "CallBack": self.call_back, "Join": self.join, "Report": self.report}
        unary |= {"Revoked": self.revoked, "Alive": self.alive}
        server.serve(CPM_SERVICE, unary, {"Directives": self.directives})

    def end(self) -> None:
        """Let everybody's stream of directives run out."""
        self._ending = True
        self.announce(set(self._members))

    def announce(self, agents: set[str]) -> None:
        """There is something new to say to these."""
        for agent in agents:
            self._news[agent].set()

    # --- methods: raw request, verified caller and its certificate in, raw reply out

    async def hello(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        conductor = self._conductor
        reply = pb.HelloReply(time=self._clock(), version=version("knexa"), config=conductor.config, transfer_set=conductor.transfer_set)
        return reply.SerializeToString()

    async def call_back(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        """Nobody learns here what else answers at an address: without the caller itself, it takes equally long to say no."""
        address = codec.parsed(pb.CallBackRequest, request, self._member(caller)).address
        if not address or not Reach(address).valid:
            raise PeerError(f"{caller} wants to be called at {address[:80]!r}, which is no HOST:PORT")
        until = asyncio.get_running_loop().time() + CALL_BACK_S
        try:
            async with asyncio.timeout_at(until):
                reached = await shows_itself(Address.parse(address), caller, self._credentials)
        except TimeoutError:
            reached = False
        if not reached:
            await asyncio.sleep(until - asyncio.get_running_loop().time())
        return pb.CallBackReply(reached=reached).SerializeToString()

    async def join(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        agent = self._agent(caller)
        key = VerifyingKey.from_certificate_pem(certificate).fingerprint
        self._conductor.join(agent, codec.parsed(pb.JoinRequest, request, agent), key, self._clock())
        self._on_input()
        _, own = self._credentials.current()
        return pb.Federation(federation_id=self._terms.federation_id, certificate=own).SerializeToString()

    async def report(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        """Acknowledged when it is on disk, together with all others that came while the disk was busy."""
        agent = self._agent(caller)
        waiting = _Waiting(agent, codec.parsed(pb.ReportRequest, request, agent))
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._take_reports)
        await waiting.taken
        return pb.ReportReply().SerializeToString()

    async def revoked(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        self._agent(caller)
        return exchanged(codec.parsed(pb.Lists, request, caller.name), self._credentials.trust).SerializeToString()

    async def alive(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        agent = self._agent(caller)
        said = codec.parsed(pb.AliveRequest, request, agent)
        if said.leaving:
            self._leases.end(agent)
            self._on_input()
        else:
            self._leases.renew(agent, self._clock(), said.worked_ms)
        _, own = self._credentials.current()
        return pb.AliveReply(certificate=own).SerializeToString()

    async def directives(self, request: bytes, caller: Identity, certificate: bytes) -> AsyncIterator[bytes]:
        """What holds, then what comes. Two streams of one agent would take each other's wake-ups, so each has an event of its own."""
        agent, told = self._agent(caller), 0
        while not self._ending and self._conductor.broken is None:  # what is not on disk is not said either
            news = self._news[agent]
            for said in self._conductor.holding(agent, told):
                told = said.number
                yield self._directive(agent, said).SerializeToString()
            await news.wait()
            if self._news[agent] is news:  # the first of its streams to wake makes room for the next news
                self._news[agent] = asyncio.Event()

    # --- parts

    def _take_reports(self) -> None:
        """Nothing else happens meanwhile, so nobody hears of what is not on disk yet."""
        waiting, self._waiting = self._waiting, []
        lost = JournalError("the coordinator could not take this report; it starts again")
        refusals: Sequence[KnexaError | None] = [lost] * len(waiting)
        try:
            refusals = self._conductor.report_all([(one.agent, one.request) for one in waiting], self._clock())
        except JournalError:
            return  # the conductor is broken now, and the process that serves it ends by that
        finally:
            for one, refusal in zip(waiting, refusals, strict=True):
                if one.taken.done():
                    continue  # the caller has gone; what it said counts
                if refusal is None:
                    one.taken.set_result(None)
                else:
                    one.taken.set_exception(refusal)
            self._on_input()

    def _agent(self, caller: Identity) -> str:
        """Renews its lease. PeerError as :meth:`_member`."""
        self._leases.renew(self._member(caller), self._clock())
        return caller.name

    def _member(self, caller: Identity) -> str:
        """PeerError if it is no participant, or is run by another organisation than the one that was agreed on."""
        if self._members.get(caller.name) != caller:
            raise PeerError(f"{caller} is no participant of this federation; its operator admits agents in agents[] of federation.toml")
        return caller.name

    def _directive(self, agent: str, said: Said) -> pb.Directive:
        if not isinstance(said.message, Matched):
            return codec.directive(said.message)
        match = said.message.match
        teacher, student = self._conductor.reach(match.teacher), self._conductor.reach(match.student)
        return codec.directive(said.message, self._ticket(match), route(teacher, student, as_student=agent == match.student))

    def _ticket(self, match: Match) -> bytes:
        """Signed anew whenever it is told; equal in content, so it is one ticket however often."""
        teacher, student = (self._conductor.seats[name].member for name in (match.teacher, match.student))
        if teacher is None or student is None:
            raise ValueError(f"match {match.match_id!r} is of agents that never joined")
        ticket = Ticket(
            federation=self._terms.federation_id,
            match_id=match.match_id,
            round=match.round,
            teacher=match.teacher,
            student=match.student,
            protocol=match.protocol,
            transfer_set=self._conductor.transfer_set,
            teacher_key=teacher.key,
            student_key=student.key,
            prompt_budget=min(self._terms.prompts, MOST_PROMPTS),
            byte_budget=MOST_BYTES,
            expires_at=int(self._conductor.matched_at + min(self._terms.seconds, LONGEST_LIFE / 2)),
        )
        key, _ = self._credentials.current()
        if self._signer is None or self._signer[0] != key:
            self._signer = key, SigningKey.from_private_pem(key)
        return sign_ticket(ticket, self._signer[1])
