"""Both sides of the protocol together, under schedules that Hypothesis chooses: any order, copies, losses, lies, late wake-ups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import build_matchmaker
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.protocol.agent import WORKING, Agent
from knexa.protocol.coordinator import Coordinator, Phase
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
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, Release, Result, SendPeer, Study, Teach, Train, Work

NAMES = ("a", "b", "c", "d", "e")
ROUNDS = 3
EVEN = (1 / 12,) * 12


@dataclass(frozen=True)
class Letter:
    sender: str
    to: str
    message: Any


def profile(agent: str, round: int) -> Profile:
    return Profile(agent, round, family_block("gpt2"), (0.1,) * len(METRICS), EVEN, (0.1 * NAMES.index(agent),) * 12)


def outcome(match_id: str) -> Outcome:
    return Outcome(match_id, 2.0, 1.9, 2.0, 1.8, 0.1, 0.2, 500, 2, 1, True)


def finished(work: Work, agent: str) -> Result:
    match work:
        case Train(round):
            return profile(agent, round)
        case Ask(match):
            return KnowledgeRequest(match.match_id, ("p1", "p2"), 2)
        case Teach(match, request):
            return VettedPackage(KnowledgePackage(match.match_id, "hash", dict.fromkeys(request.prompt_ids, "pass")))
        case Study(match):
            return outcome(match.match_id)


class World:
    """The machines, all that is on its way between them, and the invariants, checked at every action."""

    def __init__(self) -> None:
        matchmaker = build_matchmaker(MatchingConfig(), RewardConfig(), ROUNDS, 1)
        self.coordinator = Coordinator(NAMES, matchmaker, ROUNDS, 100.0)
        self.agents = {name: Agent(name, NAMES, transfer_set="hash", budget=2, patience=50.0) for name in NAMES}
        self.now = 0.0
        self.letters: list[Letter] = []
        self.wakes: list[tuple[float, str]] = []
        self.work: dict[str, Work] = {}
        self.matches: dict[str, Match] = {}
        self.rewards: Counter[str] = Counter()
        self.joined: dict[tuple[str, int], set[str]] = {}
        self.act(COORDINATOR, self.coordinator.start(0.0))

    def act(self, who: str, actions: list[Any]) -> None:
        for action in actions:
            match action:
                case Send(to, message) | SendPeer(to, message):
                    self.letters.append(Letter(who, to, message))
                case Release(match_, vetted):
                    self.letters.append(Letter(who, match_.student, KnowledgeSent(vetted.package)))
                case WakeAt(time):
                    self.wakes.append((time, who))
                case Record(kind, fields):
                    self.check_record(kind, fields)
                case work:
                    self.check_work(who, work)
                    self.work[who] = work
        for name, agent in self.agents.items():
            assert (agent.state.phase in WORKING) == (name in self.work), "an agent works exactly when work is in hand"

    def check_record(self, kind: str, fields: Any) -> None:
        if kind == "match":
            peers = [peer for match in fields["matches"] for peer in (match["teacher"], match["student"])]
            assert len(peers) == len(set(peers)), "pairs are disjoint"
            self.matches |= {match["match_id"]: Match(**match) for match in fields["matches"]}
        if kind == "reward":
            self.rewards[fields["match_id"]] += 1
            assert fields["match_id"] in self.matches, "only matches earn rewards"
            assert self.rewards[fields["match_id"]] == 1, "a match is rewarded once"

    def check_work(self, who: str, work: Work) -> None:
        assert who not in self.work, "one piece of work at a time"
        if isinstance(work, Train):
            return
        assert who == (work.match.teacher if isinstance(work, Teach) else work.match.student), "everyone keeps to its role"
        joined = self.joined.setdefault((who, work.match.round), set())
        joined.add(work.match.match_id)
        assert len(joined) == 1, "an agent is in one match a round"

    # --- what a schedule can do

    def deliver(self, letter: Letter) -> None:
        before = self.memory()
        try:
            if letter.to == COORDINATOR:
                actions: list[Any] = self.coordinator.on_message(letter.sender, letter.message, self.now)
            else:
                actions = self.agents[letter.to].on_message(letter.sender, letter.message, self.now)
        except PeerError:
            assert self.memory() == before, "a refused message changes nothing"
        else:
            self.act(letter.to, actions)

    def memory(self) -> object:
        c = self.coordinator
        return c.phase, c.round, dict(c.standings), dict(c._open), dict(c._profiles), [agent.state for agent in self.agents.values()]

    def finish_work(self, name: str) -> None:
        result = finished(self.work.pop(name), name)
        self.act(name, self.agents[name].on_result(result, self.now))

    def wake(self) -> None:
        self.wakes.sort()
        time, who = self.wakes.pop(0)
        self.now = max(self.now, time)
        machine = self.coordinator if who == COORDINATOR else self.agents[who]
        self.act(who, machine.on_time(self.now))

    def lie(self, number: int) -> None:
        liar, victim = NAMES[number % 5], (*NAMES, COORDINATOR)[number // 5 % 6]
        match_id = (*self.matches, "forged")[number // 30 % (len(self.matches) + 1)]
        forged = (
            OutcomeReported(outcome(match_id)),
            ExchangeFailed(match_id, "lie"),
            ProfileReported(profile(victim if victim in NAMES else liar, self.coordinator.round)),
            KnowledgeRequested(KnowledgeRequest(match_id, ("p1",), 1)),
            KnowledgeSent(KnowledgePackage(match_id, "hash", {"p1": "x"})),
            Matched(Match(match_id, self.coordinator.round, liar, NAMES[0])),
            RoundOpened(99),
            Finished(1),
        )[number // 120 % 8]
        if not (victim == COORDINATOR and isinstance(forged, KnowledgeRequested | KnowledgeSent)):
            self.letters.append(Letter(liar, victim, forged))

    def step(self, number: int, *, faults: bool) -> None:
        kind, which = number % 8, number // 8
        if kind == 0 and faults and self.letters:
            self.letters.pop(which % len(self.letters))
        elif kind == 1 and faults:
            self.lie(which)
        elif kind == 2 and faults and self.wakes:
            self.wake()
        elif kind == 3 and self.letters:
            self.letters.append(self.letters[which % len(self.letters)])
        elif kind in (4, 5) and self.work:
            self.finish_work(sorted(self.work)[which % len(self.work)])
        elif self.letters:
            self.deliver(self.letters.pop(which % len(self.letters)))

    def drain(self) -> None:
        """Let everything happen that is still to happen, time last. Ends, or the assertion says that it does not."""
        for _ in range(5000):
            if self.letters:
                self.deliver(self.letters.pop(0))
            elif self.work:
                self.finish_work(min(self.work))
            elif self.wakes:
                self.wake()
            else:
                return
        raise AssertionError("the federation does not come to rest")


schedules = st.lists(st.integers(0, 2**16), max_size=250)


@given(schedules)
@settings(max_examples=100, deadline=None)
def test_every_schedule_ends_with_disjoint_pairs_and_single_rewards(schedule: list[int]) -> None:
    """Losses, copies, lies and early deadlines in any order: every invariant holds, and the federation finishes."""
    world = World()
    for number in schedule:
        world.step(number, faults=True)
    world.drain()
    assert world.coordinator.phase is Phase.FINISHED
    assert not world.work


@given(schedules)
@settings(max_examples=60, deadline=None)
def test_without_faults_every_match_is_rewarded_whatever_the_order(schedule: list[int]) -> None:
    """Reordered and doubled messages cost nothing: each of the three rounds gives two matches, and each match its reward."""
    world = World()
    for number in schedule:
        world.step(number, faults=False)
    world.drain()
    assert len(world.matches) == 2 * ROUNDS
    assert set(world.rewards) == set(world.matches)
    assert all(agent.state.over for agent in world.agents.values())
