"""Test equipment: a federation of the real protocol machines under faults drawn from one seed, in virtual time.

What can go wrong: messages are late, lost, doubled and overtaken; partitions; clocks that differ; agents and the coordinator crash and come
back from what is on disk (an agent from its last saved state, the coordinator from its journal, which is replayed); work is slow;
participants forge messages. Nothing is learned. Every step is checked against the invariants (:meth:`FaultyFederation._check_record` and
below), and :attr:`FaultyFederation.script` says what happened, so that a failure can be read again from its seed.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import build_matchmaker
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.matching.terms import Terms
from knexa.protocol.agent import Agent
from knexa.protocol.coordinator import Coordinator, Phase
from knexa.protocol.encoding import JsonForm
from knexa.protocol.messages import (
    COORDINATOR,
    ExchangeFailed,
    Finished,
    Matched,
    OutcomeReported,
    ProfileReported,
    Record,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, Release, SendPeer, Study, Teach, Train
from knexa.randomness import stream

NAMES = ("a", "b", "c", "d", "e", "f")
ROUNDS, BUDGET, DEADLINE = 4, 3, 100.0
MOST_EVENTS = 20_000
_FORM = JsonForm()


@dataclass
class Faults:
    """Drawn from the seed: how bad this schedule's world is."""

    loss: float
    copies: float
    delay: float
    skew: dict[str, float]
    crashes: list[tuple[float, str, float]]
    partitions: list[tuple[float, float, frozenset[str]]]
    forgeries: list[float]
    slow: dict[str, float]
    terms: dict[str, Terms]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Faults:
        everyone = (*NAMES, COORDINATOR)

        def some(most: int, of: Callable[[], Any]) -> list[Any]:
            return [of() for _ in range(int(rng.integers(0, most + 1)))]

        def group() -> frozenset[str]:
            return frozenset(name for name in everyone if rng.random() < 0.4)

        return cls(
            loss=float(rng.choice([0.0, 0.05, 0.3])),
            copies=float(rng.choice([0.0, 0.1, 0.5])),
            delay=float(rng.choice([0.01, 1.0, 20.0])),
            skew={name: float(rng.choice([0.0, 0.0, -300.0, 45.0, 1e6])) for name in everyone},
            crashes=some(6, lambda: (float(rng.uniform(0, 600)), str(rng.choice(everyone)), float(rng.exponential(30)))),
            partitions=some(3, lambda: (float(rng.uniform(0, 500)), float(rng.exponential(60)), group())),
            forgeries=some(12, lambda: float(rng.uniform(0, 600))),
            slow={name: float(rng.choice([1.0, 5.0, 60.0])) for name in NAMES},
            terms={name: Terms(lessons=int(rng.integers(0, 3))) if rng.random() < 0.2 else Terms() for name in NAMES},
        )


@dataclass
class FaultyFederation:
    """One schedule; :meth:`run` plays it to its end and raises AssertionError where an invariant does not hold."""

    seed: int
    script: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = stream(self.seed, "fault schedule")
        self.faults = Faults.drawn(self.rng)
        self.now, self._number = 0.0, 0
        self._queue: list[tuple[float, int, str, Any]] = []
        self.coordinator = self._new_coordinator()
        self.journal: list[tuple[str, tuple[Any, ...]]] = []
        self.agents = {name: self._new_agent(name) for name in NAMES}
        self.saved = {name: self._state_of(name) for name in NAMES}
        self.work: dict[str, Any] = {}
        self.life: Counter[str] = Counter()
        self.down: set[str] = set()
        self.records: list[tuple[str, Any]] = []
        self.matches: dict[str, Match] = {}
        self.told: dict[str, set[str]] = {}
        self.outcomes: dict[str, str] = {}
        self.rewards: Counter[str] = Counter()
        self.closed = 0
        self.joined: dict[tuple[str, int], set[str]] = {}
        self.lessons: Counter[str] = Counter()

    # --- the run

    def run(self) -> None:
        for at, who, seconds in self.faults.crashes:
            self._at(at, "crash", (who, seconds))
        for at in self.faults.forgeries:
            self._at(at, "forge", None)
        self._input("start", ())
        for _ in range(MOST_EVENTS):
            if not self._queue:
                break
            self.now, _, kind, what = heapq.heappop(self._queue)
            getattr(self, f"_on_{kind}")(what)
        assert not self._queue, "the federation does not come to rest"
        assert self.coordinator.phase is Phase.FINISHED, (
            f"it ends in phase {self.coordinator.phase.value} of round {self.coordinator.round}"
        )
        assert self._replayed().state() == self.coordinator.state(), "a replay of the journal comes to another state"

    def _at(self, time: float, kind: str, what: Any) -> None:
        self._number += 1
        heapq.heappush(self._queue, (max(time, self.now), self._number, kind, what))

    def _say(self, line: str) -> None:
        self.script.append(f"{self.now:9.2f}  {line}")

    def _clock(self, who: str) -> float:
        return self.now + self.faults.skew[who]

    # --- machines

    def _new_coordinator(self) -> Coordinator:
        matchmaker = build_matchmaker(MatchingConfig(), RewardConfig(), ROUNDS, self.seed)
        return Coordinator(NAMES, matchmaker, ROUNDS, DEADLINE, quorum=(1.0, 0.5)[self.seed % 2])

    def _new_agent(self, name: str) -> Agent:
        return Agent(name, NAMES, transfer_set="hash", budget=BUDGET, patience=DEADLINE / 2, rounds=ROUNDS, terms=self.faults.terms[name])

    def _state_of(self, name: str) -> str:
        """As it is on disk: machine and work in hand."""
        return json.dumps(_FORM.to_json((self.agents[name].state, getattr(self, "work", {}).get(name))))

    def _input(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Something happens to the coordinator: once it is in the journal."""
        arguments = (*arguments, self._clock(COORDINATOR))
        before = self._memory()
        try:
            actions = getattr(self.coordinator, method)(*arguments)
        except PeerError as error:
            assert self._memory() == before, "a refused message changes nothing"
            self.happened["refused"] += 1
            self._say(f"coordinator refuses: {error}")
            return
        self.journal.append((method, arguments))
        self._act(COORDINATOR, actions)

    def _replayed(self) -> Coordinator:
        again = self._new_coordinator()
        for method, arguments in self.journal:
            getattr(again, method)(*arguments)
        return again

    def _memory(self) -> Any:
        one = self.coordinator
        return one.phase, one.round, dict(one.standings), dict(one._open), dict(one._profiles), dict(one._outcomes)

    # --- what happens

    def _on_letter(self, letter: tuple[str, str, Any]) -> None:
        sender, to, message = letter
        if to in self.down:
            self.happened["lost: nobody there"] += 1
            return
        if to == COORDINATOR:
            self._input("on_message", (sender, message))
            return
        before = self.agents[to].state
        try:
            actions = self.agents[to].on_message(sender, message, self._clock(to))
        except PeerError as error:
            assert self.agents[to].state == before, "a refused message changes nothing"
            self.happened["refused"] += 1
            self._say(f"{to} refuses: {error}")
            return
        if sender == COORDINATOR and isinstance(message, Matched):
            self.told.setdefault(to, set()).add(message.match.match_id)
        self._act(to, actions)

    def _on_wake(self, what: tuple[str, int]) -> None:
        who, life = what
        if who in self.down or life != self.life[who]:
            return
        if who == COORDINATOR:
            self._input("on_time", ())
            if 0.0 < self.coordinator._deadline - self._clock(who) < 0.001:  # too early by the rounding of a clock that differs
                self._at(self.now + 0.001, "wake", what)
        else:
            self._act(who, self.agents[who].on_time(self._clock(who)))

    def _on_done(self, what: tuple[str, int]) -> None:
        name, life = what
        if name in self.down or life != self.life[name] or name not in self.work:
            return
        result = self._result(self.work.pop(name), name)
        self._act(name, self.agents[name].on_result(result, self._clock(name)))

    def _on_crash(self, what: tuple[str, float]) -> None:
        who, seconds = what
        if who in self.down:
            return
        self.happened["crash of the coordinator" if who == COORDINATOR else "crash of an agent"] += 1
        self._say(f"{who} crashes for {seconds:.1f} s")
        self.down.add(who)
        self.life[who] += 1
        self.work.pop(who, None)
        self._at(self.now + seconds, "restart", who)

    def _on_restart(self, who: str) -> None:
        self.down.discard(who)
        self._say(f"{who} is back")
        if who == COORDINATOR:
            memory = self._memory()
            self.coordinator = self._replayed()
            assert self._memory() == memory, "a replay of the journal comes to another state"
            self._wake_at(COORDINATOR, self.coordinator._deadline if self.coordinator.phase is not Phase.BETWEEN else -np.inf)
        else:
            state, work = _FORM.from_json(json.loads(self.saved[who]))
            self.agents[who] = self._new_agent(who)
            self.agents[who].state = state
            if work is not None:
                self._begin(who, work)
            self._wake_at(who, state.deadline)
        self._tell_again()

    def _tell_again(self) -> None:
        """What a coordinator says to whoever connects: its newest word."""
        one = self.coordinator
        if COORDINATOR in self.down:
            return
        words: list[Any] = [(name, Finished(ROUNDS)) for name in NAMES] if one.phase is Phase.FINISHED else []
        if one.phase in (Phase.PROFILES, Phase.EXCHANGES):
            words += [(name, RoundOpened(one.round)) for name in NAMES]
        words += [(peer, Matched(match)) for match in one._open.values() for peer in (match.teacher, match.student)]
        for to, message in words:
            self._post(COORDINATOR, to, message)

    def _on_forge(self, _: None) -> None:
        """A participant says what is not its to say, or lies."""
        rng = self.rng
        liar, victim = str(rng.choice(NAMES)), str(rng.choice((*NAMES, COORDINATOR)))
        match_id = str(rng.choice((*self.matches, "forged")))
        other = str(rng.choice(NAMES))
        lies = (
            OutcomeReported(_outcome(match_id)),
            ExchangeFailed(match_id, "lie"),
            ProfileReported(_profile(other, max(1, self.coordinator.round))),
            ProfileReported(_profile(liar, int(rng.integers(1, 9)))),
            KnowledgeRequested(KnowledgeRequest(match_id, ("p1", "p1"), BUDGET + 5)),
            KnowledgeRequested(KnowledgeRequest(match_id, ("p1",), 1)),
            KnowledgeSent(KnowledgePackage(match_id, "hash", {f"p{n}": "x" for n in range(1, 9)})),
            KnowledgeSent(KnowledgePackage(match_id, "other", {"p1": "x"})),
            Matched(Match(match_id, self.coordinator.round, liar, victim)),
            RoundOpened(99),
            Finished(1),
        )
        lie = lies[int(rng.integers(len(lies)))]
        if victim != liar and not (victim == COORDINATOR and isinstance(lie, KnowledgeRequested | KnowledgeSent)):
            self.happened["forged"] += 1
            self._say(f"{liar} tells {victim} a {type(lie).__name__} that is not its to tell")
            self._at(self.now, "letter", (liar, victim, lie))

    # --- what machines want

    def _act(self, who: str, actions: list[Any]) -> None:
        for action in actions:
            match action:
                case Send(to, message) | SendPeer(to, message):
                    self._post(who, to, message)
                case Release(match_, vetted):
                    self._check_release(who, match_, vetted.package)
                    self._post(who, match_.student, KnowledgeSent(vetted.package))
                case WakeAt(time):
                    self._wake_at(who, time)
                case Record(kind, fields):
                    self.records.append((kind, fields))
                    self._check_record(kind, fields)
                case work:
                    self._check_work(who, work)
                    self._begin(who, work)
        if who != COORDINATOR:
            self.saved[who] = self._state_of(who)

    def _post(self, sender: str, to: str, message: Any) -> None:
        """Reports and the coordinator's words are repeated until they have had every chance; what peers say is said once or twice."""
        tries = 4 if COORDINATOR in (sender, to) else 1
        for attempt in range(tries):
            for _ in range(1 + (self.rng.random() < self.faults.copies)):
                at = self.now + 15.0 * attempt + float(self.rng.exponential(self.faults.delay))
                if self.rng.random() < self.faults.loss or self._parted(sender, to, at):
                    self.happened["lost"] += 1
                else:
                    self._at(at, "letter", (sender, to, message))

    def _parted(self, one: str, other: str, at: float) -> bool:
        return any(begin <= at < begin + length and (one in side) != (other in side) for begin, length, side in self.faults.partitions)

    def _wake_at(self, who: str, time: float) -> None:
        if time < np.inf:
            self._at(max(time - self.faults.skew[who], self.now), "wake", (who, self.life[who]))

    def _begin(self, name: str, work: Any) -> None:
        self.work[name] = work
        self._at(self.now + float(self.rng.exponential(self.faults.slow[name])), "done", (name, self.life[name]))

    def _result(self, work: Any, name: str) -> Any:
        match work:
            case Train(round):
                return _profile(name, round)
            case Ask(match_):
                return KnowledgeRequest(match_.match_id, ("p1", "p2", "p3", "p4"), BUDGET)
            case Teach(match_, request):
                texts = dict.fromkeys(request.prompt_ids[: request.budget], "pass")
                return VettedPackage(KnowledgePackage(match_.match_id, "hash", texts))
        return _outcome(work.match.match_id)

    # --- invariants

    def _check_record(self, kind: str, fields: Any) -> None:
        if kind == "match":
            peers = [peer for match in fields["matches"] for peer in (match["teacher"], match["student"])]
            assert len(peers) == len(set(peers)), "pairs of a round are disjoint"
            self.matches |= {match["match_id"]: Match(**match) for match in fields["matches"]}
        if kind == "outcome":
            match = self.matches[fields["match_id"]]
            assert fields["student"] == match.student, "only its student reports an exchange"
            assert match.round == self.coordinator.round > self.closed, "nothing is reported of a round that is over"
            assert match.match_id not in self.outcomes, "an exchange is reported once"
            self.outcomes[match.match_id] = fields["student"]
        if kind == "reward":
            self.rewards[fields["match_id"]] += 1
            assert self.rewards[fields["match_id"]] == 1, "a match is rewarded once"
            assert fields["match_id"] in self.outcomes, "a reward follows an outcome"
            assert fields["round"] > self.closed, "no reward after the end of its round"
        if kind == "update":
            self.closed = fields["round"]

    def _check_work(self, who: str, work: Any) -> None:
        assert who not in self.work, "one piece of work at a time"
        if isinstance(work, Train):
            return
        match = work.match
        assert match == self.matches.get(match.match_id), "no exchange without a match of the coordinator's"
        assert match.match_id in self.told.get(who, ()), "nobody acts on a match that it was not told"
        assert who == (match.teacher if isinstance(work, Teach) else match.student), "everyone keeps to its role"
        joined = self.joined.setdefault((who, match.round), set())
        joined.add(match.match_id)
        assert len(joined) == 1, "an agent is in one match a round"
        if isinstance(work, Study):
            assert work.package.answers <= BUDGET, "a package keeps to its budget"
        if isinstance(work, Teach):
            assert work.request.budget <= BUDGET, "a request keeps to the budget"
            self.lessons[who] += 1
            bound = self.faults.terms[who].lessons
            assert (
                bound is None
                or len({m for (n, _), ms in self.joined.items() if n == who for m in ms if self.matches[m].teacher == who}) <= bound
            )

    def _check_release(self, who: str, match: Match, package: KnowledgePackage) -> None:
        assert match == self.matches.get(match.match_id), "nothing leaves but under a match"
        assert (match.teacher, package.match_id) == (who, match.match_id), "a teacher answers for its own match"
        assert package.answers <= BUDGET, "a package keeps to its budget"


def _profile(agent: str, round: int) -> Profile:
    return Profile(agent, round, family_block("gpt2"), (0.1,) * len(METRICS), (1 / 12,) * 12, (0.1 * NAMES.index(agent),) * 12)


def _outcome(match_id: str) -> Outcome:
    return Outcome(match_id, 2.0, 1.9, 2.0, 1.8, 0.1, 0.2, 500, 2, 1, True)
