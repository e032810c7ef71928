"""The event loop: runs the coordinator's and the agents' state machines against a virtual clock.

The loop is a shell without opinions. It carries messages through the :class:`Transport`, hands work to the
:class:`Engine`, writes what the machines ask to be recorded, and writes a ``fault`` wherever a machine refuses a message.
Work begins when it is asked for and is awaited when the clock reaches its virtual end, so that everything between runs in
parallel, and no event depends on which worker was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from knexa.errors import PeerError
from knexa.protocol import agent as agent_protocol
from knexa.protocol import coordinator as coordinator_protocol
from knexa.protocol.agent import Agent
from knexa.protocol.coordinator import Coordinator, Phase
from knexa.protocol.messages import COORDINATOR, Message, Record, Send, WakeAt
from knexa.protocol.peer import Ask, KnowledgeSent, PeerMessage, Release, SendPeer, Study, Teach, Train, Work
from knexa.simulation.agenda import Agenda, Arrival, Occurrence, WakeUp, WorkDone
from knexa.simulation.duration import Duration
from knexa.simulation.encoding import from_json, to_json
from knexa.simulation.engine import Engine, Job, Pending
from knexa.simulation.transport import Transport

Action = coordinator_protocol.Action | agent_protocol.Action

#: Appends an event: its kind, and its fields.
Recorder = Callable[[str, Mapping[str, Any]], None]
#: Enters what a teacher, by name, lets out at a time into its ledger.
Enter = Callable[[str, Release, float], None]


@dataclass(frozen=True, slots=True)
class _InHand:
    work: Work
    pending: Pending


class Simulation:
    """One federation in virtual time. ``states``: every agent's current bytes; changed only when work is done."""

    def __init__(
        self,
        coordinator: Coordinator,
        agents: Mapping[str, Agent],
        states: dict[str, bytes],
        *,
        engine: Engine,
        transport: Transport,
        duration: Duration,
        record: Recorder,
        enter: Enter,
    ) -> None:
        self.coordinator = coordinator
        self.agents = dict(agents)
        self.states = states
        self._engine = engine
        self._transport = transport
        self._duration = duration
        self._record = record
        self._enter = enter
        self._agenda = Agenda()
        self._in_hand: dict[str, _InHand] = {}

    def run(self, on_phase: Callable[[Phase, int], None]) -> None:
        """Run until nothing is left to happen. ``on_phase`` hears of each new phase of the coordinator, and its round."""
        where = (self.coordinator.phase, self.coordinator.round)
        if self.coordinator.phase is Phase.NEW:
            self._perform(COORDINATOR, self.coordinator.start(self._agenda.now))
        while True:
            if where != (where := (self.coordinator.phase, self.coordinator.round)):
                on_phase(*where)
            occurrence = self._agenda.pop()
            if occurrence is None:
                return
            self._occur(occurrence)

    # --- occurrences

    def _occur(self, occurrence: Occurrence) -> None:
        now = self._agenda.now
        match occurrence:
            case WakeUp(who):
                self._perform(who, self.coordinator.on_time(now) if who == COORDINATOR else self.agents[who].on_time(now))
            case WorkDone(name):
                result, self.states[name] = self._in_hand.pop(name).pending.result()
                self._perform(name, self.agents[name].on_result(result, now))
            case Arrival(sender, to, message):
                try:
                    actions = self._deliver(sender, to, message, now)
                except PeerError as error:
                    self._record("fault", {"round": self.coordinator.round, "agent": sender, "by": to, "what": str(error)})
                else:
                    self._perform(to, actions)

    def _deliver(self, sender: str, to: str, message: Message | PeerMessage, now: float) -> Iterable[Action]:
        if to != COORDINATOR:
            return self.agents[to].on_message(sender, message, now)
        if not isinstance(message, Message):
            raise PeerError(f"agent {sender!r} sent the coordinator a {type(message).__name__}, which only peers exchange")
        return self.coordinator.on_message(sender, message, now)

    # --- actions

    def _perform(self, who: str, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(to, message) | SendPeer(to, message):
                    self._send(who, to, message)
                case Release(match_, vetted):
                    self._release(who, action)
                    self._send(who, match_.student, KnowledgeSent(vetted.package))
                case WakeAt(time):
                    self._agenda.add(time, WakeUp(who))
                case Record(kind, fields):
                    self._record(kind, fields)
                case Train() | Ask() | Teach() | Study():
                    self._begin(who, action)
                    self._agenda.add(self._agenda.now + self._duration(who, action), WorkDone(who))

    def _release(self, teacher: str, released: Release) -> None:
        match, package, review = released.match, released.vetted.package, released.vetted.review
        self._enter(teacher, released, self._agenda.now)
        content = {
            "texts": package.answers,
            "bytes": len(package.to_bytes()),
            "digest": package.digest(),
            "withheld": package.withheld,
            "found": review.by_rule,
            "sier": review.sier,
        }
        peers = {"round": match.round, "match_id": match.match_id, "teacher": teacher, "student": match.student}
        self._record("package", {**peers, **content})

    def _send(self, sender: str, to: str, message: Message | PeerMessage) -> None:
        delay = self._transport.delay()
        if delay is not None:
            self._agenda.add(self._agenda.now + delay, Arrival(sender, to, message))

    def _begin(self, name: str, work: Work) -> None:
        if name in self._in_hand:
            raise ValueError(f"agent {name!r} asked for {type(work).__name__} with other work in hand")
        self._in_hand[name] = _InHand(work, self._engine.submit(perform_job(name, work, self.states[name])))

    @property
    def busy(self) -> frozenset[str]:
        """Agents with work in hand: their states are about to be replaced."""
        return frozenset(self._in_hand)

    # --- checkpoints

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state between two rounds, without ``states``: machines, clock, messages on their way, work in hand."""
        now, entries, sequence = self._agenda.snapshot()
        return {
            "coordinator": self.coordinator.state(),
            "agents": {name: to_json(agent.state) for name, agent in self.agents.items()},
            "now": now,
            "agenda": to_json(entries),
            "sequence": sequence,
            "sent": self._transport.sent,
            "in_hand": {name: to_json(one.work) for name, one in self._in_hand.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from :meth:`snapshot`. Work that was in hand begins again from the same bytes, so it ends the same."""
        self.coordinator.restore(snapshot["coordinator"])
        for name, state in snapshot["agents"].items():
            self.agents[name].state = from_json(state)
        self._agenda = Agenda(snapshot["now"], from_json(snapshot["agenda"]), snapshot["sequence"])
        self._transport.sent = snapshot["sent"]
        for name, work in snapshot["in_hand"].items():
            self._begin(name, from_json(work))


def perform_job(agent: str, work: Work, state: bytes, *, trial: bool = False) -> Job:
    """The job that does ``work`` for ``agent``, beginning in ``state``."""
    round = work.round if isinstance(work, Train) else work.match.round
    what = type(work).__name__.lower()
    return Job("perform", f"trial-{what}" if trial else what, agent, round, (agent, work, state, round))
