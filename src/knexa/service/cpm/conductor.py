"""The coordinator with a memory: applies what comes in, has it on disk before anybody is answered, and knows what to say to whom.

An input takes three steps, in this order: the state machine decides (and refuses what breaks the protocol, with nothing changed),
the journal keeps the input, and only then is it acknowledged and acted on. A crash in between loses what nobody was told.
After a start the journal is replayed, which restores every decision and the bandit to the bit.

Nothing here knows of sockets or of the clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from knexa.errors import PeerError
from knexa.protocol.coordinator import Action, Coordinator, Phase
from knexa.protocol.messages import Finished, Message, Record, RoundOpened, Send, WakeAt
from knexa.service.cpm.journal import Entry, Journal, JournalError, Snapshot
from knexa.service.cpm.recorder import Recorder
from knexa.service.cpm.seats import Member, Said, Seat
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Reach, path

_HASH = re.compile(r"[0-9a-f]{64}")


class Conductor:
    """One federation. ``on_said`` hears the names of agents for whom there is news."""

    def __init__(
        self,
        coordinator: Coordinator,
        journal: Journal,
        *,
        header: Callable[[str], Mapping[str, Any]],
        config: str,
        record: Recorder,
        on_said: Callable[[set[str]], None],
        snapshot: Snapshot | None = None,
    ) -> None:
        """``header``: fields of the record's first event, by the hash of the starting states. ``config``: SHA-256 of all settings.

        Replays ``journal``, from behind ``snapshot`` if there is one; ``record`` has to stand where that was made.
        """
        self.coordinator = coordinator
        coordinator.apart = self._apart
        self.seats = {agent: Seat() for agent in coordinator.agents}
        self.wake_at: float | None = None
        self.closed = False
        self.broken: BaseException | None = None
        self.transfer_set = ""
        self.matched_at = 0.0
        self._header = header
        self.config = config
        self._journal = journal
        self._record = record
        self._on_said = on_said
        self._known: set[tuple[str, str]] = set()
        self._number = 0
        self._joins = 0
        if snapshot is not None:
            self._restore(snapshot)
        for entry in journal.entries(snapshot.number if snapshot else 0):
            self._apply(entry)

    # --- inputs

    def join(self, agent: str, request: pb.JoinRequest, key: str, now: float) -> None:
        """An agent enters, or comes back. Raises PeerError if it holds other data or settings than all others."""
        self._require_alike(agent, request)
        if self.seats[agent].member == Member(_reach(request), key, request.start):
            return
        body = key.encode() + request.SerializeToString()
        # Under the agent's own name: the sign keeps it apart from ids of reports, which the agent chooses, and which begin otherwise.
        self._take(Entry(now, "join", agent, f"#join-{self._joins + 1}", body))

    def report(self, agent: str, request: pb.ReportRequest, now: float) -> None:
        """Returns when the report is on disk. One that was taken before is no news. Raises PeerError for what breaks the protocol."""
        self._require_whole()
        report_id, what = codec.from_report(agent, request)
        if (agent, report_id) in self._known:
            return
        body = request.SerializeToString()
        if codec.report(report_id, what).SerializeToString() != body:  # an audit could not tell it from a journal that was changed
            raise PeerError(f"agent {agent!r} sent a report that is not written as its values are; is it of another version of knexa?")
        self._take(Entry(now, "report", agent, report_id, body))

    def report_all(self, reports: Sequence[tuple[str, pb.ReportRequest]], now: float) -> list[PeerError | None]:
        """As :meth:`report`, one after the other, with one sync for all: for each of them None, or why it was refused."""
        self._require_whole()
        refusals: list[PeerError | None] = []
        try:
            with self._journal.together():
                for agent, request in reports:
                    try:
                        self.report(agent, request, now)
                        refusals.append(None)
                    except PeerError as error:
                        refusals.append(error)
        except BaseException as error:
            self.broken = error  # memory is ahead of what is on disk
            raise
        return refusals

    def start(self, now: float) -> None:
        """Open the first round."""
        self._take(Entry(now, "start", "", "start"))

    def tick(self, now: float) -> None:
        """Let time pass. Only what changes something is kept."""
        if self.wake_at is not None and now >= self.wake_at:
            self._take(Entry(now, "time", "", f"time-{self.inputs + 1}"))

    def go_on(self, now: float) -> None:
        """Wait no longer for those who are awaited: none of them is there."""
        if self.coordinator.awaited:
            self._take(Entry(now, "gone", "", f"gone-{self.inputs + 1}"))

    def close(self, now: float) -> None:
        """Write the end of the record: whoever has not reported its final scores by now is named as lost."""
        if not self.closed:
            self._take(Entry(now, "close", "", "close"))

    # --- what there is to say

    @property
    def started(self) -> bool:
        return self.coordinator.phase is not Phase.NEW

    @property
    def missing(self) -> list[str]:
        """Agents that have not joined yet."""
        return [agent for agent, seat in self.seats.items() if seat.member is None]

    @property
    def inputs(self) -> int:
        """Entries of the journal that were acted on."""
        return len(self._known)

    @property
    def unfinished(self) -> list[str]:
        """Agents that have not reported their final scores."""
        return [agent for agent, seat in self.seats.items() if not seat.finished]

    def reach(self, agent: str) -> Reach:
        """Where ``agent`` can be called, as it last said."""
        member = self.seats[agent].member
        return member.reach if member else Reach()

    @property
    def hidden(self) -> list[str]:
        """Agents that have joined and can be called nowhere: they exchange with those that can."""
        return [agent for agent, seat in self.seats.items() if seat.member is not None and seat.member.reach == Reach()]

    def holding(self, agent: str, after: int) -> list[Said]:
        """What still holds of what ``agent`` was told, from number ``after`` on."""
        return [said for said in self.seats[agent].said if said.number > after]

    # --- the three steps

    def _require_whole(self) -> None:
        """Not even what is known already may be acknowledged: it may be known to memory alone."""
        if self.broken is not None:
            raise JournalError("memory and journal differ since an error; start the coordinator again") from self.broken

    def _take(self, entry: Entry) -> None:
        self._require_whole()
        actions = self._decide(entry)
        try:
            self._journal.append(entry)
            self._act(entry, actions)
            if self.coordinator.phase is Phase.BETWEEN:
                self._journal.keep(self._state())
        except BaseException as error:
            # The state machine is ahead of the journal now: whatever came next would be kept on top of something that is not there.
            self.broken = error
            raise

    def _state(self) -> dict[str, Any]:
        """Between two rounds, JSON-able; what agents joined as is read from the journal again."""
        return {
            "coordinator": self.coordinator.state(),
            "record": self._record.mark(),
            "seats": {agent: seat.state() for agent, seat in self.seats.items()},
            "number": self._number,
            "wake_at": self.wake_at,
            "matched_at": self.matched_at,
        }

    def _restore(self, snapshot: Snapshot) -> None:
        body = snapshot.body
        self.coordinator.restore(body["coordinator"])
        self._known = self._journal.ids(snapshot.number)
        for entry in self._journal.entries(kind="join"):
            if (entry.sender, entry.entry_id) in self._known:
                self._joined(entry)
        for agent, seat in self.seats.items():
            seat.restore(body["seats"][agent])
        self._number, self.wake_at, self.matched_at = body["number"], body["wake_at"], body["matched_at"]

    def _apply(self, entry: Entry) -> None:
        self._act(entry, self._decide(entry))

    def _decide(self, entry: Entry) -> list[Action]:
        match entry.kind:
            case "start":
                header = Record("header", self._header(self._start_hash()))
                return [header, *self.coordinator.start(entry.time)]
            case "time":
                self.wake_at = None
                return self.coordinator.on_time(entry.time)
            case "gone":
                return self.coordinator.on_gone(entry.time)
            case "report":
                _, what = codec.from_report(entry.sender, codec.parsed(pb.ReportRequest, entry.body, entry.sender))
                return self._reported(entry, what)
            case "join" | "close":
                return []

    def _reported(self, entry: Entry, what: codec.Report) -> list[Action]:
        if not self.started or self.seats[entry.sender].member is None:
            raise PeerError(f"agent {entry.sender!r} reports before it has joined, or before the federation has started")
        if isinstance(what, Mapping):
            if self.closed:
                raise PeerError(f"agent {entry.sender!r} reports scores after the federation was closed without it")
            self._require_due(entry.sender, what)
            return [Record("evaluation", {**what, "agent": entry.sender})]
        return self.coordinator.on_message(entry.sender, what, entry.time)

    def _act(self, entry: Entry, actions: list[Action]) -> None:
        self._known.add((entry.sender, entry.entry_id))
        told: set[str] = set()
        if entry.kind == "join":
            self._joined(entry)
            told.add(entry.sender)
        for action in actions:
            match action:
                case Send(agent, message):
                    self._say(agent, message)
                    told.add(agent)
                case WakeAt(time):
                    self.wake_at = time  # a coordinator has one deadline at a time
                case Record(kind, fields):
                    self._record.append(kind, fields)
                    if kind == "match":
                        self.matched_at = entry.time
                        self._record.append("path", {"round": fields["round"], "paths": self._paths(fields["matches"])})
                    if kind == "evaluation":
                        self.seats[entry.sender].evaluated.add((fields["stage"], fields["round"]))
        if entry.kind == "close":
            self._end()
        if told:
            self._on_said(told)

    def _apart(self) -> set[tuple[str, str]]:
        """(teacher, student) that no path leads between: who joined with which address is in the journal, so a replay knows it too."""
        students = [agent for agent in self.seats if not self.reach(agent).address]
        return {(teacher, student) for teacher in self.hidden for student in students if teacher != student}

    def _paths(self, matches: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """How the exchange of each match travels, by its id."""
        return {one["match_id"]: path(self.reach(one["teacher"]), self.reach(one["student"])).value for one in matches}

    def _joined(self, entry: Entry) -> None:
        self._joins += 1
        key, request = entry.body[:64].decode(), codec.parsed(pb.JoinRequest, entry.body[64:], entry.sender)
        self.transfer_set = request.transfer_set
        self.seats[entry.sender].member = Member(_reach(request), key, request.start)

    def _say(self, agent: str, message: Message) -> None:
        """A new round, and the end, make all that was said before void."""
        self._number += 1
        seat = self.seats[agent]
        kept = [] if isinstance(message, RoundOpened | Finished) else seat.said
        seat.said = [*kept, Said(self._number, message)]

    def _end(self) -> None:
        self.closed = True
        participants = {agent: {**asdict(self.coordinator.standings[agent]), "state": _final(seat)} for agent, seat in self.seats.items()}
        self._record.append("end", {"reason": "finished", "rounds": self.coordinator.round, "participants": participants})

    def _require_alike(self, agent: str, request: pb.JoinRequest) -> None:
        """All hold the coordinator's settings, and the transfer set of whoever came first."""
        if request.config != self.config:
            raise PeerError(
                f"agent {agent!r} has other settings than this federation ({request.config[:16]!r}, not {self.config[:16]}); "
                "give all agents the coordinator's federation.toml and the same version of knexa"
            )
        if not _HASH.fullmatch(request.transfer_set) or len(request.start) != 32 or not _reach(request).valid:
            raise PeerError(
                f"agent {agent!r} joins with a transfer set, a start or an address that is none; is it of another version of knexa?"
            )
        if self.transfer_set not in ("", request.transfer_set):
            raise PeerError(
                f"agent {agent!r} holds the transfer set {request.transfer_set[:16]!r}, the others {self.transfer_set[:16]}; "
                "give all agents the same problems"
            )

    def _require_due(self, agent: str, scores: Mapping[str, Any]) -> None:
        """Scores of each stage and round are reported once, and none before its time."""
        stage, round = scores["stage"], scores["round"]
        over = self.coordinator.phase is Phase.FINISHED
        due = {"start": round == 0, "round": 1 <= round <= self.coordinator.round, "end": over and round == self.coordinator.round}[stage]
        if not due or (stage, round) in self.seats[agent].evaluated:
            raise PeerError(f"agent {agent!r} reports scores of stage {stage!r} after round {round}, which are not due, or known")

    def _start_hash(self) -> str:
        """As a simulation's: over the hashes of the starting states, in the order of the agents."""
        starts = [seat.member.start if seat.member else b"" for seat in self.seats.values()]
        return hashlib.sha256(b"".join(starts)).hexdigest()


def _reach(request: pb.JoinRequest) -> Reach:
    return Reach(request.address, request.relay)


def _final(seat: Seat) -> str:
    if seat.member is None:
        return "never joined"
    return "finished" if seat.finished else "lost"
