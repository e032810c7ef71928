"""Test equipment: both protocol machines, all that is on its way between them, and the invariants, checked at every action.

A schedule decides what happens next: it delivers, loses or doubles a letter, ends a piece of work, lets time pass, restarts somebody, lies.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import build_matchmaker
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.protocol.agent import WORKING, Agent
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
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, Release, Result, SendPeer, Study, Teach, Train, Work

_FORM = JsonForm()
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
        self.agents = {name: Agent(name, NAMES, transfer_set="hash", budget=2, patience=50.0, rounds=ROUNDS) for name in NAMES}
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

    def restart(self, name: str) -> None:
        """An agent is killed and goes on from what it saved: its machine's state, and the work that was in hand, which begins again."""
        saved = json.dumps(_FORM.to_json((self.agents[name].state, self.work.get(name))))
        state, work = _FORM.from_json(json.loads(saved))
        self.agents[name] = Agent(name, NAMES, transfer_set="hash", budget=2, patience=50.0, rounds=ROUNDS)
        self.agents[name].state = state
        assert work == self.work.get(name), "work in hand is what was saved"

    def restart_coordinator(self) -> None:
        """Between two rounds it goes on from its state; within one it cannot be saved, and says so."""
        if self.coordinator.phase not in (Phase.BETWEEN, Phase.FINISHED):
            with pytest.raises(ValueError, match="between rounds"):
                self.coordinator.state()
            return
        state = json.loads(json.dumps(self.coordinator.state()))
        self.coordinator = Coordinator(NAMES, build_matchmaker(MatchingConfig(), RewardConfig(), ROUNDS, 1), ROUNDS, 100.0)
        self.coordinator.restore(state)
        assert self.coordinator.state() == state, "what was saved is what goes on"

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
