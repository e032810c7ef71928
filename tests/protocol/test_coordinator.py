from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from knexa.errors import ConfigurationError, PeerError
from knexa.matching.history import INITIAL_TRUST
from knexa.matching.match import Match
from knexa.matching.matchmakers import Matchmaker
from knexa.matching.profile import Profile
from knexa.protocol.coordinator import Action, Coordinator, Phase, Standing
from knexa.protocol.messages import (
    REFUSED,
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

AGENTS = ("a", "b", "c", "d")
DEADLINE = 100.0


@pytest.fixture
def coordinator(matchmaker):
    return Coordinator(AGENTS, matchmaker("knexa"), rounds=2, deadline=DEADLINE)


def matches_in(actions: list[Action]) -> list[Match]:
    found = {action.message.match.match_id: action.message.match for action in actions if is_matched(action)}
    return list(found.values())


def is_matched(action: Action) -> bool:
    return isinstance(action, Send) and isinstance(action.message, Matched)


def events(actions: list[Action], kind: str) -> list[Mapping[str, Any]]:
    return [action.fields for action in actions if isinstance(action, Record) and action.kind == kind]


def report_all(coordinator: Coordinator, profile, agents=AGENTS, now: float = 1.0) -> list[Action]:
    actions: list[Action] = []
    for agent in agents:
        actions += coordinator.on_message(agent, ProfileReported(profile(agent, coordinator.round)), now)
    return actions


def test_a_round_opens_for_every_agent_with_a_deadline(coordinator):
    """start() tells every agent to train, and asks to be woken when waiting ends."""
    actions = coordinator.start(5.0)
    assert actions == [*(Send(agent, RoundOpened(1)) for agent in AGENTS), WakeAt(5.0 + DEADLINE)]


def test_matching_waits_for_the_last_profile_and_tells_both_peers(coordinator, profile):
    """Nothing is matched before the quorum; then each match goes to its teacher and its student, and to no one else."""
    coordinator.start(0.0)
    assert not matches_in(report_all(coordinator, profile, AGENTS[:3]))
    actions = report_all(coordinator, profile, AGENTS[3:])
    matches = matches_in(actions)
    assert len(matches) == 2
    told = sorted((action.to, action.message.match.match_id) for action in actions if is_matched(action))
    assert told == sorted((peer, match.match_id) for match in matches for peer in (match.teacher, match.student))


def test_a_whole_federation_ends_with_finished_for_all(coordinator, profile, outcome):
    """Profiles and outcomes in both rounds lead to Finished for every agent, and to one reward per match."""
    actions, now, rewards = coordinator.start(0.0), 0.0, 0
    while coordinator.phase is not Phase.FINISHED:
        now += 1
        for match in matches_in(report_all(coordinator, profile, now=now)):
            actions = coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), now)
            rewards += len(events(actions, "reward"))
        assert events(actions, "update")[0]["round"] == coordinator.round
        actions = coordinator.on_time(now)
    assert rewards == 4
    assert actions == [Send(agent, Finished(2)) for agent in AGENTS]
    assert sum(standing.taught for standing in coordinator.standings.values()) == 4
    assert all(standing.rounds == 2 and standing.missed == 0 for standing in coordinator.standings.values())


def test_a_silent_agent_is_left_out_of_the_round_and_welcome_in_the_next(coordinator, profile, outcome):
    """At the deadline the others are matched, the silent one is named in a fault, and the next round opens for it too."""
    coordinator.start(0.0)
    report_all(coordinator, profile, ("a", "b", "c"))
    assert coordinator.on_time(DEADLINE - 1) == []
    actions = coordinator.on_time(DEADLINE)
    assert [fault["agent"] for fault in events(actions, "fault")] == ["d"]
    (match,) = matches_in(actions)
    assert "d" not in (match.teacher, match.student)
    coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), DEADLINE + 1)
    assert Send("d", RoundOpened(2)) in coordinator.on_time(DEADLINE + 1)
    assert coordinator.standings["d"] == Standing(missed=1)


def test_a_federation_of_silent_agents_still_ends(coordinator):
    """With no message at all, the deadlines alone carry the coordinator to the end, with no match and no reward."""
    coordinator.start(0.0)
    now = 0.0
    for _ in range(10):
        now += DEADLINE
        coordinator.on_time(now)
    assert coordinator.phase is Phase.FINISHED
    assert all(standing.missed == 2 for standing in coordinator.standings.values())


def test_an_outcome_counts_exactly_once(coordinator, profile, outcome, matchmaker):
    """The second copy of an outcome is refused and leaves the bandit as it was."""
    learner = matchmaker("knexa")
    coordinator = Coordinator(AGENTS, learner, 2, DEADLINE)
    coordinator.start(0.0)
    match, _ = matches_in(report_all(coordinator, profile))
    coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), 2.0)
    digest = learner.digest()
    with pytest.raises(PeerError, match="no open match"):
        coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), 3.0)
    assert learner.digest() == digest


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"loss_after": math.nan}, "finite"),
        ({"probe_loss_before": math.inf}, "finite"),
        ({"loss_before": -1.0}, "finite"),
        ({"loss_before": 1e308}, "at most"),
        ({"bytes": 2**50}, "counts"),
        ({"score_after": 1.5}, "scores"),
        ({"bytes": -1}, "counts"),
        ({"kept": 9}, "counts"),
    ],
)
def test_numbers_that_would_poison_the_bandit_are_refused(coordinator, profile, outcome, changes, complaint):
    """A bad number is the student's fault; its match stays open, so an honest report can still come."""
    coordinator.start(0.0)
    match, _ = matches_in(report_all(coordinator, profile))
    with pytest.raises(PeerError, match=complaint):
        coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id, **changes)), 2.0)
    assert events(coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), 3.0), "outcome")


def test_only_the_student_of_a_match_reports_on_it(coordinator, profile, outcome):
    """Neither the teacher nor a third agent can report an outcome or a failure."""
    coordinator.start(0.0)
    match, other = matches_in(report_all(coordinator, profile))
    for sender in (match.teacher, other.student, other.teacher):
        for message in (OutcomeReported(outcome(match.match_id)), ExchangeFailed(match.match_id, "no")):
            with pytest.raises(PeerError, match="only its student"):
                coordinator.on_message(sender, message, 2.0)


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_learned_does_not_depend_on_whose_report_came_first(matchmaker, profile, outcome, turned):
    """Outcomes in either order lead to the same rewards, in the order of the matches, and to the same state of the matchmaker."""
    ends = []
    for order in ([0, 1], [1, 0]):
        one = Coordinator(AGENTS, matchmaker("knexa"), rounds=2, deadline=DEADLINE)
        one.start(0.0)
        matches, actions = matches_in(report_all(one, profile)), []
        for index in order:
            failed = turned and index == 0
            report = ExchangeFailed(matches[index].match_id, "no") if failed else OutcomeReported(
                outcome(matches[index].match_id, probe_loss_after=1.5 + 0.1 * index)
            )  # fmt: skip
            actions += one.on_message(matches[index].student, report, 2.0)
        ends.append((events(actions, "reward"), events(actions, "update")))
    assert ends[0] == ends[1]
    assert len(ends[0][0]) == (1 if turned else 2)


def test_a_failed_exchange_ends_its_match_without_reward(coordinator, profile):
    """The student's word closes the match with a fault; when it was the last, the round closes."""
    coordinator.start(0.0)
    actions: list[Action] = []
    for match in matches_in(report_all(coordinator, profile)):
        actions += coordinator.on_message(match.student, ExchangeFailed(match.match_id, "teacher offline"), 2.0)
    assert len(events(actions, "fault")) == 2
    assert not events(actions, "reward")
    assert coordinator.phase is Phase.BETWEEN


def test_a_student_that_refuses_costs_its_teacher_no_trust(matchmaker, profile):
    """Whoever's own terms forbid the exchange says nothing about the teacher; whoever got no package does."""
    trust, faults = [], []
    for reason in (REFUSED, "no package"):
        learner = matchmaker("knexa")
        coordinator = Coordinator(AGENTS, learner, 2, DEADLINE)
        coordinator.start(0.0)
        first, second = matches_in(report_all(coordinator, profile))
        faults += events(coordinator.on_message(first.student, ExchangeFailed(first.match_id, reason), 2.0), "fault")
        coordinator.on_message(second.student, ExchangeFailed(second.match_id, reason), 2.0)
        trust.append(learner.history.trust([first.teacher, second.teacher]).tolist())
    assert trust[0] == [INITIAL_TRUST] * 2
    assert max(trust[1]) < INITIAL_TRUST
    assert ["refused" in fault for fault in faults] == [True, False]


def test_a_missing_outcome_costs_the_round_no_more_than_the_deadline(coordinator, profile, outcome):
    """At the deadline open matches are given up, and what comes later is refused. Nobody knows which peer was silent: both are named."""
    coordinator.start(0.0)
    done, lost = matches_in(report_all(coordinator, profile, now=1.0))
    coordinator.on_message(done.student, OutcomeReported(outcome(done.match_id)), 2.0)
    actions = coordinator.on_time(1.0 + DEADLINE)
    assert [fault["agent"] for fault in events(actions, "fault")] == [lost.student, lost.teacher]
    with pytest.raises(PeerError, match="no open match"):
        coordinator.on_message(lost.student, OutcomeReported(outcome(lost.match_id)), 2.0 + DEADLINE)


@pytest.mark.parametrize(
    ("sender", "agent", "round", "complaint"),
    [("a", "b", 1, "speaks for itself"), ("a", "a", 2, "of round 2 in round 1"), ("z", "z", 1, "no participant")],
)
def test_a_profile_counts_only_from_its_agent_and_for_the_open_round(coordinator, profile, sender, agent, round, complaint):
    """A profile of somebody else, of another round or of a stranger is refused."""
    coordinator.start(0.0)
    with pytest.raises(PeerError, match=complaint):
        coordinator.on_message(sender, ProfileReported(profile(agent, round)), 1.0)


def test_a_profile_that_breaks_the_schema_is_refused(coordinator, profile):
    """NaN in a profile never reaches the matchmaker, and the agent can still report properly."""
    coordinator.start(0.0)
    with pytest.raises(PeerError, match="probe"):
        coordinator.on_message("a", ProfileReported(profile("a", 1, probe=(math.nan,) * 12)), 1.0)
    assert events(coordinator.on_message("a", ProfileReported(profile("a", 1)), 1.0), "profile")


def test_a_refused_message_changes_nothing(coordinator, profile):
    """After any refusal the coordinator takes the honest messages as if nothing had been said."""
    coordinator.start(0.0)
    coordinator.on_message("a", ProfileReported(profile("a", 1)), 1.0)
    for sender, message in (("a", ProfileReported(profile("a", 1))), ("b", RoundOpened(2)), ("c", ExchangeFailed("x", "y"))):
        with pytest.raises(PeerError):
            coordinator.on_message(sender, message, 1.0)
    assert len(matches_in(report_all(coordinator, profile, AGENTS[1:]))) == 2


def test_who_is_matched_does_not_depend_on_the_order_of_arrival(matchmaker, profile):
    """The same profiles in another order give the same matches."""
    chosen = []
    for order in (AGENTS, AGENTS[::-1]):
        coordinator = Coordinator(AGENTS, matchmaker("knexa"), 1, DEADLINE)
        coordinator.start(0.0)
        chosen.append(matches_in(report_all(coordinator, profile, order)))
    assert chosen[0] == chosen[1]


def test_a_restored_coordinator_goes_on_as_the_one_that_was_saved(matchmaker, profile, outcome):
    """State through JSON into a new coordinator: the next round's actions are equal."""
    saved = Coordinator(AGENTS, matchmaker("random"), 3, DEADLINE)
    saved.start(0.0)
    for match in matches_in(report_all(saved, profile)):
        saved.on_message(match.student, OutcomeReported(outcome(match.match_id)), 2.0)
    restored = Coordinator(AGENTS, matchmaker("random"), 3, DEADLINE)
    restored.restore(json.loads(json.dumps(saved.state())))
    assert restored.on_time(2.0) == saved.on_time(2.0)
    assert report_all(restored, profile) == report_all(saved, profile)


def test_state_cannot_be_saved_while_matches_are_open(coordinator, profile):
    """Within a round there is no state to save: open matches would be lost."""
    coordinator.start(0.0)
    with pytest.raises(ValueError, match="between rounds"):
        coordinator.state()


class Doubling:
    """A plugged-in matchmaker with a bug: it puts one agent into two pairs."""

    def __init__(self, inner: Matchmaker) -> None:
        self.inner = inner
        self.candidates = ()

    def match(self, profiles: Mapping[str, Profile], round: int, apart: Collection[tuple[str, str]] = ()) -> list[Match]:
        return [Match("one", round, "a", "b"), Match("two", round, "b", "c")]


def test_a_matchmaker_that_pairs_an_agent_twice_is_stopped_before_anyone_hears_of_it(matchmaker, profile):
    """The error is the configuration's, and names the matchmaker and the match."""
    coordinator = Coordinator(AGENTS, Doubling(matchmaker()), 1, DEADLINE)  # type: ignore[arg-type]
    coordinator.start(0.0)
    with pytest.raises(ConfigurationError, match=r"Doubling.*'two'"):
        report_all(coordinator, profile)


def test_a_quorum_is_enough_and_who_comes_later_is_too_late(matchmaker, profile):
    """Half of four agents: with the second profile the others are left out, named, and refused if they still report."""
    coordinator = Coordinator(AGENTS, matchmaker("knexa"), 2, DEADLINE, quorum=0.5)
    coordinator.start(0.0)
    actions = report_all(coordinator, profile, ("a", "c"))
    (match,) = matches_in(actions)
    assert {match.teacher, match.student} == {"a", "c"}
    assert [fault["agent"] for fault in events(actions, "fault")] == ["b", "d"]
    with pytest.raises(PeerError, match="in round 1"):
        report_all(coordinator, profile, ("b",))


@pytest.mark.parametrize("quorum", [0.5, 0.7, 0.75, 1.0])
def test_a_quorum_is_never_fewer_than_the_share_that_was_asked_for(matchmaker, profile, quorum):
    """Rounded up, and not beyond it by the arithmetic of floating point."""
    agents = tuple(f"agent-{number}" for number in range(20))
    coordinator = Coordinator(agents, matchmaker("random"), 1, DEADLINE, quorum=quorum)
    coordinator.start(0.0)
    reported = 0
    while coordinator.phase is Phase.PROFILES:
        report_all(coordinator, profile, agents[reported : reported + 1])
        reported += 1
    assert reported == math.ceil(round(quorum * 20, 9))


def test_nobody_is_waited_for_who_is_gone(coordinator, profile, outcome):
    """In either phase the round goes on at once without them, and they are named; the deadlines learn nothing from it."""
    coordinator.start(0.0)
    report_all(coordinator, profile, ("a", "b", "c"))
    assert coordinator.awaited == ("d",)
    actions = coordinator.on_gone(2.0)
    assert [(fault["agent"], fault["what"]) for fault in events(actions, "fault")] == [
        ("d", "no profile before it was gone; left out of this round")
    ]
    (match,) = matches_in(actions)
    assert coordinator.awaited == (match.student,)
    assert set(coordinator.involved) == {match.student, match.teacher}
    closed = coordinator.on_gone(3.0)
    assert [fault["agent"] for fault in events(closed, "fault")] == [match.student]
    assert coordinator.phase is Phase.BETWEEN
    assert coordinator.awaited == ()
    assert coordinator.on_gone(4.0) == []
    with pytest.raises(PeerError):
        coordinator.on_message(match.student, OutcomeReported(outcome(match.match_id)), 5.0)
