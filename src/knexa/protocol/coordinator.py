"""The CPM's side of the protocol: a state machine that decides, and performs nothing.

Rules
-----
1. A round opens for every agent, whatever happened to it before. An agent that was silent is welcome again.
2. Profiles are collected until all agents (or as many as the quorum asks for) have reported, the deadline has passed, or the shell
   knows that whoever is missing is gone. Whoever has not reported by then is left out of this round and named in a ``fault`` event.
3. The matchmaker sees the profiles of this round only, and chooses disjoint pairs among those who reported. Both peers of
   a pair are told at once.
4. An outcome counts exactly once: from the student of a match, while that match is open. A match ends with its outcome, with
   its student's word that it failed, with the deadline, or when all students that are waited for are gone. The deadline does not say
   which of the two was silent, so its ``fault`` events name both.
5. When no match is open the round is closed, and only now the matchmaker learns: of every match, in the order in which they were
   chosen, that it earned a reward, that there is none, or that its student refused it, which is not its teacher's fault. So what it
   learns depends on what was reported, and never on whose network was faster: a federation of real processes makes the choices that
   its simulation makes. Between two rounds nothing is pending here: that is where :meth:`Coordinator.state` can be saved. The next
   round opens on the next wake-up, which is asked for at once.
6. Everything else is a :class:`~knexa.errors.PeerError`: raised before anything changed, for the shell to record as the
   sender's fault. No message of an agent can end the federation, and no silence can hold it up beyond its deadlines.

Transitions
-----------
=============  ====================================  =============  ====================================================
in             on                                    to             does
=============  ====================================  =============  ====================================================
NEW, BETWEEN   start / wake-up, rounds left          PROFILES       RoundOpened to all, deadline
BETWEEN        wake-up, no rounds left               FINISHED       Finished to all
PROFILES       ProfileReported, others missing       PROFILES       record profile
PROFILES       the last profile / time / all gone    EXCHANGES      record match and who is missing, Matched to peers, deadline
PROFILES       the same, but nobody is paired        BETWEEN        record match and who is missing, then as below
EXCHANGES      OutcomeReported, others open          EXCHANGES      record outcome
EXCHANGES      ExchangeFailed, others open           EXCHANGES      record fault
EXCHANGES      the last match ends / time / gone     BETWEEN        record outcome or faults, learn from all matches,
                                                                    record rewards and update, ask for the next wake-up
any            a message not named above             same           PeerError
any            a wake-up before the deadline         same           nothing
=============  ====================================  =============  ====================================================

What this file cannot see is part of the design: it imports neither texts nor weights (a lint rule proves it).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from knexa.errors import PeerError
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import Matchmaker
from knexa.matching.profile import Profile
from knexa.protocol.checks import check_matches, check_outcome
from knexa.protocol.messages import (
    REFUSED,
    ExchangeFailed,
    Finished,
    Matched,
    Message,
    OutcomeReported,
    ProfileReported,
    Record,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.patience import Fixed, Patience

Action = Send | WakeAt | Record


class Phase(Enum):
    NEW = "new"
    PROFILES = "profiles"
    EXCHANGES = "exchanges"
    BETWEEN = "between"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one agent has done so far: rounds with a profile, rounds without, exchanges that gave a counted outcome."""

    rounds: int = 0
    missed: int = 0
    taught: int = 0
    studied: int = 0


class Coordinator:
    """See the module's rules. Every method returns the actions in the order in which the shell must perform them."""

    def __init__(
        self,
        agents: Sequence[str],
        matchmaker: Matchmaker,
        rounds: int,
        deadline: float | Patience,
        *,
        log_candidates: bool = True,
        evaluated_every: int = 0,
        quorum: float = 1.0,
    ) -> None:
        """``deadline``: how long each of the two waiting phases of a round may last; a number of seconds is always the same.

        ``evaluated_every``: after so many rounds agents are evaluated before they train again, which takes longer; 0 = never.
        ``quorum``: share of the agents whose profiles are enough to go on with; 1 = all of them.

        Who knows how its agents can be called sets ``apart``: the (teacher, student) between whom nothing can travel, asked every round.
        """
        self.apart: Callable[[], Collection[tuple[str, str]]] = tuple
        self.agents = tuple(agents)
        self.phase = Phase.NEW
        self.round = 0
        self.standings = {agent: Standing() for agent in self.agents}
        self.waiting_since = 0.0
        self._quorum = max(math.ceil(quorum * len(self.agents) - 1e-9), 1)
        self._matchmaker = matchmaker
        self._rounds = rounds
        self._patience = deadline if isinstance(deadline, Patience) else Fixed(deadline)
        self._log_candidates = log_candidates
        self._evaluated_every = evaluated_every
        self._deadline = math.inf
        self._profiles: dict[str, Profile] = {}
        self._matches: tuple[Match, ...] = ()
        self._open: dict[str, Match] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._refused: set[str] = set()

    # --- inputs

    def start(self, now: float) -> list[Action]:
        """Open the first round, or the next one after :meth:`restore`."""
        if self.phase not in (Phase.NEW, Phase.BETWEEN):
            raise ValueError(f"start() in phase {self.phase.value}: a coordinator starts once")
        return self._open_round(now)

    def on_message(self, sender: str, message: Message, now: float) -> list[Action]:
        """Take one message. Raises PeerError, with nothing changed, when it breaks the rules."""
        if sender not in self.standings:
            raise PeerError(f"{sender!r} is no participant of this federation: its {type(message).__name__} is refused")
        match message:
            case ProfileReported(profile):
                return self._take_profile(sender, profile, now)
            case OutcomeReported(outcome):
                return self._take_outcome(sender, outcome, now)
            case ExchangeFailed(match_id, reason):
                return self._take_failure(sender, match_id, reason, now)
            case _:
                raise PeerError(f"agent {sender!r} sent {type(message).__name__}, which only the coordinator sends")

    def on_time(self, now: float) -> list[Action]:
        """Let deadlines pass. Calling it too early or too often changes nothing."""
        if self.phase is Phase.BETWEEN:
            return self._open_round(now)
        if now < self._deadline:
            return []
        for _ in self.awaited:
            # How long they would have taken nobody knows; if most are late, this is what lengthens the next wait.
            self._patience.note(self._waits_for(), 2.0 * (now - self.waiting_since))
        return self._go_on(now, "by the deadline", lambda match: (match.student, match.teacher))

    def on_gone(self, now: float) -> list[Action]:
        """Go on without those who are :attr:`awaited`: the shell knows that none of them is there any more."""
        return self._go_on(now, "before it was gone", lambda match: (match.student,))

    @property
    def awaited(self) -> tuple[str, ...]:
        """Agents whose word is missing: of all for a profile, or of students of open matches for an outcome."""
        if self.phase is Phase.PROFILES:
            return tuple(agent for agent in self.agents if agent not in self._profiles)
        return tuple(match.student for match in self._open.values()) if self.phase is Phase.EXCHANGES else ()

    @property
    def involved(self) -> tuple[str, ...]:
        """Agents on whose work that depends: those who are awaited, and the teachers of open matches."""
        return (*self.awaited, *(match.teacher for match in self._open.values())) if self._open else self.awaited

    # --- phases of a round

    def _open_round(self, now: float) -> list[Action]:
        if self.round == self._rounds:
            self.phase = Phase.FINISHED
            return [Send(agent, Finished(self._rounds)) for agent in self.agents]
        self.round += 1
        self.phase = Phase.PROFILES
        self._profiles = {}
        return [*(Send(agent, RoundOpened(self.round)) for agent in self.agents), self._wait(now)]

    def _take_profile(self, sender: str, profile: Profile, now: float) -> list[Action]:
        if self.phase is not Phase.PROFILES or profile.round != self.round:
            raise PeerError(f"agent {sender!r} reported a profile of round {profile.round} in round {self.round} ({self.phase.value})")
        if profile.agent != sender:
            raise PeerError(f"agent {sender!r} reported a profile of {profile.agent!r}; an agent speaks for itself only")
        if sender in self._profiles:
            raise PeerError(f"agent {sender!r} reported its profile of round {self.round} twice")
        checked = Profile.from_dict(profile.to_dict())
        self._profiles[sender] = checked
        self._patience.note(self._waits_for(), now - self.waiting_since)
        recorded = Record("profile", checked.to_dict())
        return [recorded, *(self._match(now) if len(self._profiles) >= self._quorum else [])]

    def _go_on(self, now: float, why: str, blamed: Callable[[Match], Sequence[str]]) -> list[Action]:
        """Without whoever has not answered by ``now``. ``blamed``: of an open match; both peers, where nobody knows which was silent."""
        if self.phase is Phase.PROFILES:
            return self._match(now, why)
        if self.phase is Phase.EXCHANGES:
            overdue = [
                self._fault(peer, f"no outcome of {match.match_id} {why}") for match in self._open.values() for peer in blamed(match)
            ]
            self._open = {}
            return [*overdue, *self._close_round(now)]
        return []

    def _match(self, now: float, why: str = "by the time of the quorum") -> list[Action]:
        actions: list[Action] = []
        for agent in self.agents:
            present, standing = agent in self._profiles, self.standings[agent]
            self.standings[agent] = replace(standing, rounds=standing.rounds + present, missed=standing.missed + (not present))
            if not present:
                actions.append(self._fault(agent, f"no profile {why}; left out of this round"))
        # In the order of the agents, not of arrival: who trains faster must not change who is matched.
        profiles = {agent: self._profiles[agent] for agent in self.agents if agent in self._profiles}
        matches = self._matchmaker.match(profiles, self.round, self.apart()) if len(profiles) > 1 else []
        check_matches(type(self._matchmaker).__name__, matches, self._profiles, self.round)
        self.phase = Phase.EXCHANGES
        self._matches, self._outcomes = tuple(matches), {}
        self._open = {match.match_id: match for match in matches}
        candidates = [one.to_dict() for one in self._matchmaker.candidates] if self._log_candidates and len(profiles) > 1 else None
        logged = {} if candidates is None else {"candidates": candidates}
        actions.append(Record("match", {"round": self.round, "matches": [asdict(match) for match in matches], **logged}))
        actions += [Send(peer, Matched(match)) for match in matches for peer in (match.teacher, match.student)]
        return [*actions, *([self._wait(now)] if self._open else self._close_round(now))]

    def _take_outcome(self, sender: str, outcome: Outcome, now: float) -> list[Action]:
        match = self._open_match(sender, outcome.match_id, "an outcome")
        check_outcome(sender, outcome)
        del self._open[match.match_id]
        self._outcomes[match.match_id] = outcome
        self._patience.note(self._waits_for(), now - self.waiting_since)
        teacher, student = self.standings[match.teacher], self.standings[match.student]
        self.standings[match.teacher] = replace(teacher, taught=teacher.taught + 1)
        self.standings[match.student] = replace(student, studied=student.studied + 1)
        recorded = Record("outcome", {"round": self.round, "teacher": match.teacher, "student": sender, **asdict(outcome)})
        return [recorded, *([] if self._open else self._close_round(now))]

    def _take_failure(self, sender: str, match_id: str, reason: str, now: float) -> list[Action]:
        match = self._open_match(sender, match_id, "a failure")
        del self._open[match.match_id]
        refused = {"refused": match_id} if reason == REFUSED else {}
        self._refused.update(refused.values())
        fault = self._fault(sender, f"exchange {match_id} failed: {reason[:200]}", **refused)
        return [fault, *([] if self._open else self._close_round(now))]

    def _close_round(self, now: float) -> list[Action]:
        self.phase = Phase.BETWEEN
        self._deadline = math.inf
        self._profiles = {}
        rewards = self._learn()
        return [*rewards, Record("update", {"round": self.round, "digest": self._matchmaker.digest()}), WakeAt(now)]

    def _learn(self) -> list[Record]:
        """What the round taught, match by match."""
        rewards = []
        for match in self._matches:
            if match.match_id in self._refused:
                self._matchmaker.drop(match.match_id)
            elif match.match_id not in self._outcomes:
                self._matchmaker.fail(match.match_id)
            elif (reward := self._matchmaker.learn(self._outcomes[match.match_id])) is not None:
                rewards.append(Record("reward", {"round": self.round, "match_id": match.match_id, **asdict(reward)}))
        self._matches, self._outcomes, self._refused = (), {}, set()
        return rewards

    # --- state between two rounds

    def state(self) -> dict[str, Any]:
        """JSON-able state between two rounds; ValueError within one, where matches are open."""
        if self.phase not in (Phase.NEW, Phase.BETWEEN, Phase.FINISHED):
            raise ValueError(f"the coordinator's state is saved between rounds, not in phase {self.phase.value} of round {self.round}")
        standings = {agent: asdict(standing) for agent, standing in self.standings.items()}
        return {
            "phase": self.phase.value,
            "round": self.round,
            "standings": standings,
            "patience": self._patience.state(),
            "matchmaker": self._matchmaker.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`. A new coordinator that is restored behaves like the one that was saved."""
        self.phase = Phase(state["phase"])
        self.round = state["round"]
        self.standings = {agent: Standing(**fields) for agent, fields in state["standings"].items()}
        self._patience.restore(state["patience"])
        self._matchmaker.restore(state["matchmaker"])

    # --- checks and small parts

    def _open_match(self, sender: str, match_id: str, what: str) -> Match:
        match = self._open.get(match_id)
        if match is None:
            raise PeerError(f"agent {sender!r} reported {what} of {match_id[:80]!r}, which is no open match of round {self.round}")
        if match.student != sender:
            raise PeerError(f"agent {sender!r} reported {what} of {match_id!r}, but only its student {match.student!r} may")
        return match

    def _waits_for(self) -> str:
        """What is waited for, by a name of its own where it takes longer: the first training, and rounds in which agents are evaluated."""
        if self.phase is not Phase.PROFILES:
            return str(self.phase.value)
        if self.round == 1:
            return "first profiles"
        evaluated = self._evaluated_every > 0 and (self.round - 1) % self._evaluated_every == 0
        return "profiles after an evaluation" if evaluated else "profiles"

    def _wait(self, now: float) -> WakeAt:
        self.waiting_since = now
        self._deadline = now + self._patience.seconds(self._waits_for())
        return WakeAt(self._deadline)

    def _fault(self, agent: str, what: str, **more: str) -> Record:
        return Record("fault", {"round": self.round, "agent": agent, "what": what, **more})
