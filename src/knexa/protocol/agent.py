"""A participant's side of the protocol: a state machine that decides what to do next, and performs nothing.

Rules
-----
1. An agent does one piece of work at a time. The shell performs it and brings the result back; until then messages are
   taken, but nothing new begins.
2. An agent is in at most one match, as teacher or as student, and only in a round for which it has reported a profile.
3. The student speaks first: it asks its teacher, the teacher answers, the student studies and reports. Only the student
   reports to the coordinator.
4. Messages may come in any order, twice, or never. A request that overtakes its match is kept (one per sender). A
   message seen before, or of a round that is over, is ignored: that is the network's doing. What no honest peer can send
   is a :class:`~knexa.errors.PeerError`, raised before anything changed.
5. A student waits for its package, and a teacher for its request, for ``patience`` seconds. A silent or refusing peer
   costs the exchange and nothing else.
6. The coordinator's newest round wins: it ends whatever the agent was waiting for. Work in progress is finished first,
   because it has changed the model, but its result is of no use to anybody any more and is dropped.

Transitions
-----------
==========  ===============================  ==========  ===============================================================
in          on                               to          does
==========  ===============================  ==========  ===============================================================
waiting     RoundOpened (newer)              TRAINING    work Train
TRAINING    result                           REPORTED    ProfileReported to the coordinator
REPORTED    KnowledgeRequested               REPORTED    keep it
REPORTED    Matched, I am the student        ASKING      work Ask
REPORTED    the same, my kilobytes are spent IDLE        ExchangeFailed to the coordinator
REPORTED    Matched, I am the teacher        LISTENING   wait; or TEACHING at once, when the request is here already
ASKING      result                           AWAITING    KnowledgeRequested to the teacher, wait
AWAITING    KnowledgeSent                    STUDYING    work Study
AWAITING    time, or teacher unreachable     IDLE        ExchangeFailed to the coordinator
STUDYING    result                           IDLE        OutcomeReported to the coordinator
LISTENING   KnowledgeRequested               TEACHING    work Teach
LISTENING   time                             IDLE
TEACHING    result                           IDLE        Release: the ledger, then KnowledgeSent to the student
working     RoundOpened (newer), Finished    same        remember it; on the result: TRAINING or FINISHED
waiting     Finished                         FINISHED
==========  ===============================  ==========  ===============================================================

(*working*: TRAINING, ASKING, TEACHING, STUDYING; *waiting*: IDLE, REPORTED, AWAITING, LISTENING.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from knexa.config import FederationConfig
from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.matching.terms import OPEN_TERMS, Terms, terms_of
from knexa.protocol.messages import (
    COORDINATOR,
    REFUSED,
    ExchangeFailed,
    Finished,
    Matched,
    Message,
    OutcomeReported,
    ProfileReported,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, PeerMessage, Release, Result, SendPeer, Study, Teach, Train, Work

Action = Send | SendPeer | Release | WakeAt | Work


#: A student gives its teacher up after this share of the longest phase: in time, unless what was observed makes the phase shorter.
PATIENCE = 0.5


class Phase(Enum):
    IDLE = "idle"
    TRAINING = "training"
    REPORTED = "reported"
    ASKING = "asking"
    AWAITING = "awaiting"
    STUDYING = "studying"
    LISTENING = "listening"
    TEACHING = "teaching"
    FINISHED = "finished"


WORKING = frozenset({Phase.TRAINING, Phase.ASKING, Phase.STUDYING, Phase.TEACHING})


@dataclass(frozen=True, slots=True)
class AgentState:
    """All that an agent remembers. ``opened``: newest round it heard of; ``round``: the one it is in.

    ``early``: requests that came before their match, with their senders. ``deadline``: when waiting ends. ``taught``: exchanges in
    which it began to teach; ``received``: bytes of the packages that it took. ``last``: its match before this round.
    """

    phase: Phase = Phase.IDLE
    round: int = 0
    opened: int = 0
    over: bool = False
    match: Match | None = None
    request: KnowledgeRequest | None = None
    early: tuple[tuple[str, KnowledgeRequest], ...] = ()
    deadline: float = math.inf
    taught: int = 0
    received: int = 0
    last: Match | None = None


class Agent:
    """See the module's rules. Every method returns the actions in the order in which the shell must perform them."""

    def __init__(
        self, name: str, peers: Sequence[str], *, transfer_set: str, budget: int, patience: float, rounds: int, terms: Terms = OPEN_TERMS
    ) -> None:
        """``transfer_set``: hash of the set this agent holds. ``budget``: most answers in one package. ``patience``: seconds.

        ``rounds``: of the federation; what privacy costs is divided among them, so that no coordinator can open more.
        ``terms``: its own, which hold whatever the coordinator says.
        """
        self.name = name
        self.state = AgentState()
        self._peers = frozenset(peers) - {name}
        self._transfer_set = transfer_set
        self._budget = budget
        self._patience = patience
        self._rounds = rounds
        self._terms = terms
        self._most_bytes = math.inf if terms.kilobytes is None else terms.kilobytes * 1024

    # --- inputs

    def on_message(self, sender: str, message: Message | PeerMessage, now: float) -> list[Action]:
        """Take one message. Raises PeerError, with nothing changed, when it breaks the rules."""
        match message:
            case KnowledgeRequested(request):
                return self._take_request(sender, request)
            case KnowledgeSent(package):
                return self._take_package(sender, package)
        if sender != COORDINATOR:
            raise PeerError(f"{sender!r} sent {self.name!r} a {type(message).__name__}; only the coordinator may")
        match message:
            case RoundOpened(round) if round > self._rounds:
                raise PeerError(f"the coordinator opened round {round} for {self.name!r}; this federation has {self._rounds}")
            case RoundOpened(round):
                return self._hear(opened=round)
            case Finished():
                return self._hear(over=True)
            case Matched(match_):
                return self._take_match(match_, now)
            case _:
                raise PeerError(f"the coordinator sent {self.name!r} a {type(message).__name__}, which only agents send")

    def on_result(self, result: Result, now: float) -> list[Action]:
        """Take the result of the work that was asked for last. ValueError if it is not that work's: the shell is wrong."""
        state = self.state
        outdated = state.over or state.opened > state.round
        match (state.phase, result):
            case (Phase.TRAINING, Profile()):
                return self._next() if outdated else self._go([Send(COORDINATOR, ProfileReported(result))], phase=Phase.REPORTED)
            case (Phase.ASKING, KnowledgeRequest()):
                return self._next() if outdated else self._await_package(result, now)
            case (Phase.TEACHING, VettedPackage()):
                return self._next() if outdated else self._idle([Release(self._match_now(), result)])
            case (Phase.STUDYING, Outcome()):
                return self._next() if outdated else self._idle([Send(COORDINATOR, OutcomeReported(result))])
            case _:
                raise ValueError(f"agent {self.name!r}: a {type(result).__name__} is no result of {state.phase.value}")

    def on_unreachable(self, match_id: str, now: float) -> list[Action]:
        """Let the wait for a package end early: the shell has given the teacher up. Nothing happens if that is no wait of now."""
        if self.state.phase is not Phase.AWAITING or self._match_now().match_id != match_id:
            return []
        self.state = replace(self.state, deadline=now)
        return self.on_time(now)

    def on_time(self, now: float) -> list[Action]:
        """Let a wait end. Calling it too early or too often changes nothing."""
        if now < self.state.deadline:
            return []
        match self.state.phase:
            case Phase.AWAITING:
                match_ = self._match_now()
                return self._idle(
                    [Send(COORDINATOR, ExchangeFailed(match_.match_id, f"no usable package from teacher {match_.teacher!r} in time"))]
                )
            case Phase.LISTENING:
                return self._idle([])
            case _:
                return []

    # --- what the coordinator says

    def _hear(self, *, opened: int = 0, over: bool = False) -> list[Action]:
        self.state = replace(self.state, opened=max(opened, self.state.opened), over=over or self.state.over)
        return [] if self.state.phase in WORKING else self._next()

    def _next(self) -> list[Action]:
        """Go where the coordinator's newest word leads; stay where that is nowhere new."""
        state = self.state
        kept = AgentState(opened=state.opened, taught=state.taught, received=state.received, last=state.match or state.last)
        if state.over:
            self.state = replace(kept, phase=Phase.FINISHED, round=state.round, over=True)
            return []
        if state.opened > state.round:
            self.state = replace(kept, phase=Phase.TRAINING, round=state.opened)
            return [Train(state.opened)]
        return []

    def _take_match(self, match: Match, now: float) -> list[Action]:
        state = self.state
        if self.name not in (match.teacher, match.student) or not {match.teacher, match.student} <= self._peers | {self.name}:
            raise PeerError(f"the coordinator sent {self.name!r} the match {match.match_id!r} of {match.teacher!r} and {match.student!r}")
        if match.round < max(state.round, state.opened) or state.over or match == state.match:
            return []
        self._check_terms(match)
        if state.phase is not Phase.REPORTED:
            raise PeerError(
                f"the coordinator sent {self.name!r} the match {match.match_id!r} while it is {state.phase.value} in round {state.round}"
            )
        if match.round != state.round:
            raise PeerError(
                f"the coordinator sent {self.name!r} the match {match.match_id!r} of round {match.round} in round {state.round}"
            )
        if (
            match.student == self.name and state.received >= self._most_bytes
        ):  # the coordinator cannot know: it counts what was reported to it
            return self._go([Send(COORDINATOR, ExchangeFailed(match.match_id, REFUSED))], phase=Phase.IDLE, match=match, early=())
        if match.student == self.name:
            return self._go([Ask(match)], phase=Phase.ASKING, match=match, early=())
        for sender, request in state.early:
            if sender == match.student and request.match_id == match.match_id:
                return self._go(
                    [Teach(match, request)], phase=Phase.TEACHING, match=match, request=request, early=(), taught=state.taught + 1
                )
        deadline = now + self._patience
        return self._go([WakeAt(deadline)], phase=Phase.LISTENING, match=match, early=(), deadline=deadline)

    def _check_terms(self, match: Match) -> None:
        partner = match.teacher if match.student == self.name else match.student
        if partner in self._terms.refuses:
            raise PeerError(f"the coordinator matched {self.name!r} with {partner!r}, whom it refuses")
        if match.protocol not in self._terms.protocols:
            raise PeerError(
                f"the coordinator wants {self.name!r} to exchange by {match.protocol[:80]!r}; it allows {', '.join(self._terms.protocols)}"
            )
        lessons = self._terms.lessons
        if match.teacher == self.name and lessons is not None and self.state.taught >= lessons:
            raise PeerError(f"the coordinator wants {self.name!r} to teach again; it has taught the {lessons} times that it agreed to")

    # --- what peers say

    def _take_request(self, sender: str, request: KnowledgeRequest) -> list[Action]:
        state = self.state
        self._check_request(sender, request)
        if state.match is not None and (sender, request.match_id) == (state.match.student, state.match.match_id):
            waiting = state.phase is Phase.LISTENING
            taught = state.taught + 1
            teach = Teach(state.match, request)
            return self._go([teach], phase=Phase.TEACHING, request=request, deadline=math.inf, taught=taught) if waiting else []
        if state.last is not None and (sender, request.match_id) == (state.last.student, state.last.match_id):
            return []
        if state.phase is not Phase.REPORTED:
            raise PeerError(f"{sender!r} asked {self.name!r} under {request.match_id[:80]!r}, which is no match of its own now")
        kept = tuple(pair for pair in state.early if pair[0] != sender)
        return self._go([], early=(*kept, (sender, request)))

    def _check_request(self, sender: str, request: KnowledgeRequest) -> None:
        if sender not in self._peers:
            raise PeerError(f"{sender!r} asked {self.name!r} for knowledge, but is no participant of this federation")
        if not 0 <= request.budget <= self._budget:
            raise PeerError(f"{sender!r} asked {self.name!r} for {request.budget} answers; the budget of an exchange is {self._budget}")
        if len(set(request.prompt_ids)) != len(request.prompt_ids):
            raise PeerError(f"{sender!r} asked {self.name!r} for the same prompt twice")

    def _take_package(self, sender: str, package: KnowledgePackage) -> list[Action]:
        state = self.state
        if state.last is not None and (sender, package.match_id) == (state.last.teacher, state.last.match_id):
            return []
        if state.match is None or (sender, package.match_id) != (state.match.teacher, state.match.match_id):
            raise PeerError(f"{sender!r} sent {self.name!r} a package under {package.match_id[:80]!r}, which is no match of its own now")
        self._check_package(sender, package)
        if state.phase is not Phase.AWAITING:
            return []
        received = state.received + len(package.to_bytes())
        return self._go([Study(state.match, package)], phase=Phase.STUDYING, deadline=math.inf, received=received)

    def _check_package(self, sender: str, package: KnowledgePackage) -> None:
        request = self.state.request
        if request is None:
            raise PeerError(f"{sender!r} sent {self.name!r} a package before it was asked")
        if package.transfer_set != self._transfer_set:
            theirs, ours = package.transfer_set[:16], self._transfer_set[:16]
            raise PeerError(f"{sender!r} answered {self.name!r} from another transfer set: {theirs!r}, not {ours!r}")
        if package.answers > request.budget:
            raise PeerError(f"{sender!r} sent {self.name!r} {package.answers} answers; the budget of this exchange is {request.budget}")
        if not package.texts.keys() <= set(request.prompt_ids):
            raise PeerError(f"{sender!r} sent {self.name!r} answers to prompts that it was not asked")
        protocol = self._match_now().protocol
        if bool(package.tensors) != (protocol != "text"):
            held = "tensors" if package.tensors else "no tensors"
            raise PeerError(f"{sender!r} sent {self.name!r} a package with {held}, which is none of protocol {protocol!r}")

    # --- small parts

    def _await_package(self, request: KnowledgeRequest, now: float) -> list[Action]:
        deadline = now + self._patience
        asked = SendPeer(self._match_now().teacher, KnowledgeRequested(request))
        return self._go([asked, WakeAt(deadline)], phase=Phase.AWAITING, request=request, deadline=deadline)

    def _idle(self, actions: list[Action]) -> list[Action]:
        """The exchange is over; the match is remembered, so that a late copy of one of its messages is known for what it is."""
        return self._go(actions, phase=Phase.IDLE, deadline=math.inf)

    def _go(self, actions: list[Action], **changes: object) -> list[Action]:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # replace() checks the names, the callers the types
        return actions

    def _match_now(self) -> Match:
        if self.state.match is None:
            raise ValueError(f"agent {self.name!r} has no match in phase {self.state.phase.value}")
        return self.state.match


def agent_of(config: FederationConfig, name: str, transfer_set: str) -> Agent:
    """The machine of agent ``name``, the same in a simulation and in a process. ``transfer_set``: hash of the set that it holds."""
    return Agent(
        name,
        [agent.name for agent in config.agents],
        transfer_set=transfer_set,
        budget=config.distillation.prompts,
        patience=config.transport.deadline_s * PATIENCE,
        rounds=config.rounds,
        terms=terms_of(config)[name],
    )
