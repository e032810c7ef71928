"""The exchanges of an agent's matches, on their way: whom it calls, to whom it opens a line, and what it was told about each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from knexa.errors import PeerError
from knexa.exchange.package import KnowledgeRequest
from knexa.matching.match import Match
from knexa.protocol.agent import AgentState, Phase
from knexa.protocol.peer import KnowledgeSent
from knexa.service.agent.background import Background
from knexa.service.agent.exchange import learn_from
from knexa.service.agent.inputs import Heard, Input, Unreachable
from knexa.service.agent.listening import Listener
from knexa.service.agent.ourselves import Ourselves
from knexa.service.agent.teachers_port import TeachersPort
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire.route import Route, Way


@dataclass(frozen=True, slots=True)
class _Told:
    match: Match
    ticket: bytes
    route: Route


class Exchanges:
    """``beside`` runs what takes time; what comes of it goes to ``put``. ``note`` gets lines for whoever watches."""

    def __init__(
        self,
        we: Ourselves,
        port: TeachersPort,
        switchboard: Switchboard,
        beside: Background,
        put: Callable[[Input], None],
        note: Callable[[str], None],
    ) -> None:
        self._we, self._port, self._switchboard, self._beside, self._put, self._note = we, port, switchboard, beside, put, note
        self._told: dict[str, _Told] = {}
        self._calling: set[str] = set()
        self._visits: dict[str, asyncio.Event] = {}

    def tell(self, match: Match, ticket: bytes, route: Route) -> None:
        """What the coordinator says with a match; the newest word counts."""
        self._told[match.match_id] = _Told(match, ticket, route)

    def forget(self, round: int) -> None:
        """What belongs to rounds before ``round`` is over."""
        self._port.forget(round)
        self._told = {match_id: told for match_id, told in self._told.items() if told.match.round >= round}
        for match_id in self._visits.keys() - self._told.keys():
            self._visits.pop(match_id).set()

    def call_teacher(self, state: AgentState) -> None:
        """Ask for knowledge, if that is what ``state`` waits for, it is known how, and nobody is asking already."""
        if state.phase is not Phase.AWAITING or state.match is None or state.request is None:
            return
        match_id = state.match.match_id
        if match_id in self._told and match_id not in self._calling:
            self._calling.add(match_id)
            self._beside.run(self._learn(self._told[match_id], state.request))

    def visit_student(self, match: Match) -> None:
        """Open a line to a student that can be called by a teacher that cannot, for as long as the round lasts."""
        told = self._told.get(match.match_id)
        if told is None or match.teacher != self._we.name or told.route.path is not Way.REVERSE or match.match_id in self._visits:
            return
        listener = Listener(told.route.address, self._we.member(match.student), self._we.credentials, self._port, self._note)
        self._visits[match.match_id] = asyncio.Event()
        self._beside.run(listener.listen(self._visits[match.match_id]))

    async def _learn(self, told: _Told, request: KnowledgeRequest) -> None:
        match = told.match
        self._note(f"round {match.round}: asks {match.teacher} ({told.route.path.value})")
        try:
            package = await learn_from(self._we, match.teacher, told.route, self._switchboard, told.ticket, request)
        except PeerError as error:
            self._note(f"nothing came of {match.match_id}: {error}")
            self._put(Unreachable(match.match_id))
        else:
            self._put(Heard(match.teacher, KnowledgeSent(package)))
        finally:
            self._calling.discard(match.match_id)
