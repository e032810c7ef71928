from __future__ import annotations

from dataclasses import replace

import pytest

from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match
from knexa.matching.terms import Terms
from knexa.protocol.agent import Agent, Phase
from knexa.protocol.messages import (
    COORDINATOR,
    REFUSED,
    ExchangeFailed,
    Finished,
    Matched,
    OutcomeReported,
    ProfileReported,
    RoundOpened,
    Send,
    WakeAt,
)
from knexa.protocol.peer import Ask, KnowledgeRequested, KnowledgeSent, Release, SendPeer, Study, Teach, Train

MATCH = Match("r1-t-s", 1, "t", "s")
REQUEST = KnowledgeRequest("r1-t-s", ("p1", "p2", "p3"), 2)
PACKAGE = KnowledgePackage("r1-t-s", "hash", {"p1": "return 1", "p3": "return 3"})
VETTED = VettedPackage(PACKAGE)
PATIENCE = 50.0


def agent(name: str) -> Agent:
    return Agent(name, ("s", "t", "u"), transfer_set="hash", budget=4, patience=PATIENCE, rounds=9)


def reported(name: str, profile) -> Agent:
    """An agent that has trained and reported in round 1."""
    one = agent(name)
    one.on_message(COORDINATOR, RoundOpened(1), 0.0)
    one.on_result(profile(name, 1), 1.0)
    return one


def awaiting(profile) -> Agent:
    """The student, after it has asked its teacher at time 3."""
    student = reported("s", profile)
    student.on_message(COORDINATOR, Matched(MATCH), 2.0)
    student.on_result(REQUEST, 3.0)
    return student


def test_a_round_is_trained_and_reported(profile):
    """RoundOpened leads to training, and its result to a profile for the coordinator."""
    one = agent("s")
    assert one.on_message(COORDINATOR, RoundOpened(1), 0.0) == [Train(1)]
    report = profile("s", 1)
    assert one.on_result(report, 1.0) == [Send(COORDINATOR, ProfileReported(report))]


def test_no_round_is_trained_beyond_the_last():
    """Privacy is paid for as many rounds as the federation has: a coordinator that opens another is refused, and changes nothing."""
    one = agent("s")
    before = one.state
    with pytest.raises(PeerError, match="opened round 10 for 's'; this federation has 9"):
        one.on_message(COORDINATOR, RoundOpened(10), 0.0)
    assert one.state == before
    assert one.on_message(COORDINATOR, RoundOpened(9), 0.0) == [Train(9)]


def test_the_student_asks_studies_and_reports(profile, outcome):
    """Matched, request, package, study, outcome: each step follows from the one before."""
    student = reported("s", profile)
    assert student.on_message(COORDINATOR, Matched(MATCH), 2.0) == [Ask(MATCH)]
    assert student.on_result(REQUEST, 3.0) == [SendPeer("t", KnowledgeRequested(REQUEST)), WakeAt(3.0 + PATIENCE)]
    assert student.on_message("t", KnowledgeSent(PACKAGE), 4.0) == [Study(MATCH, PACKAGE)]
    report = outcome(MATCH.match_id)
    assert student.on_result(report, 5.0) == [Send(COORDINATOR, OutcomeReported(report))]


def test_the_teacher_answers_its_student(profile):
    """Matched and request lead to teaching, and its result to the student and to nobody else."""
    teacher = reported("t", profile)
    assert teacher.on_message(COORDINATOR, Matched(MATCH), 2.0) == [WakeAt(2.0 + PATIENCE)]
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 3.0) == [Teach(MATCH, REQUEST)]
    assert teacher.on_result(VETTED, 4.0) == [Release(MATCH, VETTED)]


def test_a_request_that_overtakes_its_match_is_answered_when_the_match_comes(profile):
    """The two messages take different ways: their order must not matter."""
    teacher = reported("t", profile)
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 2.0) == []
    assert teacher.on_message(COORDINATOR, Matched(MATCH), 3.0) == [Teach(MATCH, REQUEST)]


def test_an_early_request_under_another_match_is_not_answered(profile):
    """A request kept early counts only for the match that it names."""
    teacher = reported("t", profile)
    teacher.on_message("s", KnowledgeRequested(replace(REQUEST, match_id="r1-forged")), 2.0)
    assert teacher.on_message(COORDINATOR, Matched(MATCH), 3.0) == [WakeAt(3.0 + PATIENCE)]


def test_an_early_request_of_a_third_agent_does_not_stand_for_the_students(profile):
    """Whoever guesses the match's id cannot choose what is taught, nor push the student's own request away."""
    teacher = reported("t", profile)
    teacher.on_message("u", KnowledgeRequested(replace(REQUEST, prompt_ids=("p9",))), 1.0)
    teacher.on_message("s", KnowledgeRequested(REQUEST), 2.0)
    assert teacher.on_message(COORDINATOR, Matched(MATCH), 3.0) == [Teach(MATCH, REQUEST)]


def test_every_message_may_come_twice(profile, outcome):
    """The second copy of each message of an exchange causes nothing."""
    student, teacher = awaiting(profile), reported("t", profile)
    for one in (student, teacher):
        one.on_message(COORDINATOR, Matched(MATCH), 3.0)
    assert student.on_message(COORDINATOR, RoundOpened(1), 3.0) == []
    teacher.on_message("s", KnowledgeRequested(REQUEST), 4.0)
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 4.0) == []
    teacher.on_result(VETTED, 5.0)
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 5.0) == []
    student.on_message("t", KnowledgeSent(PACKAGE), 6.0)
    assert student.on_message("t", KnowledgeSent(PACKAGE), 6.0) == []
    student.on_result(outcome(MATCH.match_id), 7.0)
    assert student.on_message("t", KnowledgeSent(PACKAGE), 7.0) == []
    assert student.on_message(COORDINATOR, Matched(MATCH), 7.0) == []


def test_a_silent_teacher_costs_its_student_the_exchange_only(profile):
    """When patience ends the student tells the coordinator, and is ready for the next round."""
    student = awaiting(profile)
    assert student.on_time(3.0 + PATIENCE - 1) == []
    (action,) = student.on_time(3.0 + PATIENCE)
    assert isinstance(action, Send)
    assert isinstance(action.message, ExchangeFailed)
    assert action.message.match_id == MATCH.match_id
    assert student.on_message(COORDINATOR, RoundOpened(2), 60.0) == [Train(2)]


def test_a_silent_student_costs_its_teacher_nothing(profile):
    """When patience ends the teacher is idle; it has nothing to report, and a late request is the sender's fault or ignored."""
    teacher = reported("t", profile)
    teacher.on_message(COORDINATOR, Matched(MATCH), 2.0)
    assert teacher.on_time(2.0 + PATIENCE) == []
    assert teacher.state.phase is Phase.IDLE
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 60.0) == []


@pytest.mark.parametrize(
    ("sender", "package", "complaint"),
    [
        ("u", PACKAGE, "no match of its own"),
        ("t", replace(PACKAGE, match_id="r1-t-u"), "no match of its own"),
        ("t", replace(PACKAGE, transfer_set="other"), "another transfer set"),
        ("t", replace(PACKAGE, texts={"p1": "", "p2": "", "p3": ""}), "budget"),
        ("t", replace(PACKAGE, others={"p1": ("return 2",)}), "budget"),
        ("t", replace(PACKAGE, texts={"p9": ""}), "not asked"),
    ],
)
def test_a_package_that_is_not_what_was_asked_is_refused_and_the_right_one_still_taken(profile, sender, package, complaint):
    """Wrong sender, match, transfer set, size or prompts: PeerError, no change of state."""
    student = awaiting(profile)
    before = student.state
    with pytest.raises(PeerError, match=complaint):
        student.on_message(sender, KnowledgeSent(package), 4.0)
    assert student.state == before
    assert student.on_message("t", KnowledgeSent(PACKAGE), 5.0) == [Study(MATCH, PACKAGE)]


@pytest.mark.parametrize(
    ("sender", "request_", "complaint"),
    [
        ("u", REQUEST, "no match of its own"),
        ("s", replace(REQUEST, match_id="r1-t-u"), "no match of its own"),
        ("s", replace(REQUEST, budget=5), "budget"),
        ("s", replace(REQUEST, prompt_ids=("p1", "p1")), "twice"),
        ("x", REQUEST, "no participant"),
    ],
)
def test_a_request_that_is_not_its_students_is_refused(profile, sender, request_, complaint):
    """Wrong sender, match or budget: PeerError, no change of state, and the student is still answered."""
    teacher = reported("t", profile)
    teacher.on_message(COORDINATOR, Matched(MATCH), 2.0)
    before = teacher.state
    with pytest.raises(PeerError, match=complaint):
        teacher.on_message(sender, KnowledgeRequested(request_), 3.0)
    assert teacher.state == before
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 4.0) == [Teach(MATCH, REQUEST)]


def test_an_agent_is_never_in_two_matches(profile):
    """A second match in the same round is refused, in either role, while the first is open and after it."""
    student = awaiting(profile)
    for second in (Match("r1-u-s", 1, "u", "s"), Match("r1-s-u", 1, "s", "u")):
        with pytest.raises(PeerError, match="awaiting"):
            student.on_message(COORDINATOR, Matched(second), 4.0)
    student.on_time(3.0 + PATIENCE)
    with pytest.raises(PeerError, match="idle"):
        student.on_message(COORDINATOR, Matched(Match("r1-u-s", 1, "u", "s")), 60.0)


def test_only_the_coordinator_opens_rounds_and_makes_matches(profile):
    """A peer that plays the coordinator is refused."""
    one = reported("s", profile)
    for message in (RoundOpened(2), Matched(MATCH), Finished(1)):
        with pytest.raises(PeerError, match="only the coordinator"):
            one.on_message("t", message, 2.0)


def test_a_new_round_waits_for_the_work_in_hand_whose_result_is_then_dropped(profile):
    """Two pieces of work never run at once; a result of a round that is over is reported to nobody."""
    one = agent("s")
    one.on_message(COORDINATOR, RoundOpened(1), 0.0)
    assert one.on_message(COORDINATOR, RoundOpened(2), 100.0) == []
    assert one.on_result(profile("s", 1), 150.0) == [Train(2)]


def test_a_new_round_ends_a_wait(profile):
    """A student whose teacher is silent trains the next round at once, and the old deadline means nothing any more."""
    student = awaiting(profile)
    assert student.on_message(COORDINATOR, RoundOpened(2), 10.0) == [Train(2)]
    assert student.on_time(3.0 + PATIENCE) == []


def test_messages_of_a_round_that_is_over_are_ignored(profile):
    """A late match of round 1 reaches an agent in round 2: nobody's fault, nothing done."""
    one = reported("s", profile)
    one.on_message(COORDINATOR, RoundOpened(2), 5.0)
    assert one.on_message(COORDINATOR, Matched(MATCH), 6.0) == []
    assert one.on_message(COORDINATOR, RoundOpened(1), 6.0) == []


@pytest.mark.parametrize("reported_again", [False, True])
def test_a_request_of_the_last_round_is_ignored_and_displaces_nothing(profile, reported_again):
    """It was on its way when the next round opened: no fault of its sender, and no early request of the new match."""
    teacher = reported("t", profile)
    teacher.on_message(COORDINATOR, Matched(MATCH), 2.0)
    teacher.on_message(COORDINATOR, RoundOpened(2), 3.0)
    again, early = replace(MATCH, match_id="r2-t-s", round=2), replace(REQUEST, match_id="r2-t-s")
    if reported_again:
        teacher.on_result(profile("t", 2), 4.0)
        teacher.on_message("s", KnowledgeRequested(early), 5.0)
    before = teacher.state
    assert teacher.on_message("s", KnowledgeRequested(REQUEST), 6.0) == []
    assert teacher.state == before
    with pytest.raises(PeerError, match="twice"):
        teacher.on_message("s", KnowledgeRequested(replace(REQUEST, prompt_ids=("p1", "p1"))), 6.0)
    if reported_again:
        assert teacher.on_message(COORDINATOR, Matched(again), 7.0) == [Teach(again, early)]
        assert teacher.on_message("s", KnowledgeRequested(REQUEST), 8.0) == []
    else:
        with pytest.raises(PeerError, match="no match of its own"):
            teacher.on_message("u", KnowledgeRequested(REQUEST), 6.0)


def test_a_package_of_the_last_round_is_ignored(profile):
    """Also two rounds later, if there was no other match in between, and after the end; from another sender it is refused."""
    student = awaiting(profile)
    for message in (RoundOpened(2), RoundOpened(3), Finished(9)):
        student.on_message(COORDINATOR, message, 5.0)
        before = student.state
        assert student.on_message("t", KnowledgeSent(PACKAGE), 6.0) == []
        assert student.state == before
        with pytest.raises(PeerError, match="no match of its own"):
            student.on_message("u", KnowledgeSent(PACKAGE), 6.0)
        if message == RoundOpened(2):
            student.on_result(profile("s", 2), 7.0)


def test_finished_is_heard_in_every_phase(profile):
    """Waiting agents finish at once, working ones after their work; nothing starts afterwards."""
    waiting, working = awaiting(profile), agent("t")
    working.on_message(COORDINATOR, RoundOpened(1), 0.0)
    for one in (waiting, working):
        assert one.on_message(COORDINATOR, Finished(1), 10.0) == []
    assert working.on_result(profile("t", 1), 20.0) == []
    assert waiting.state.phase is working.state.phase is Phase.FINISHED
    assert waiting.on_message(COORDINATOR, RoundOpened(2), 30.0) == []


@pytest.mark.parametrize(
    ("terms", "match", "message"),
    [
        (Terms(refuses=frozenset({"t"})), MATCH, "whom it refuses"),
        (Terms(), replace(MATCH, protocol="adapter"), "it allows text"),
    ],
)
def test_an_agents_own_terms_hold_whatever_the_coordinator_says(profile, terms, match, message):
    """A match that crosses them is refused before anything is asked of anybody."""
    student = Agent("s", ("s", "t", "u"), transfer_set="hash", budget=4, patience=PATIENCE, rounds=9, terms=terms)
    student.on_message(COORDINATOR, RoundOpened(1), 0.0)
    student.on_result(profile("s", 1), 1.0)
    before = student.state
    with pytest.raises(PeerError, match=message):
        student.on_message(COORDINATOR, Matched(match), 2.0)
    assert student.state == before


def test_a_package_with_tensors_is_none_of_protocol_text(profile):
    """A teacher cannot slip in what the match did not ask for."""
    student = awaiting(profile)
    with pytest.raises(PeerError, match="none of protocol 'text'"):
        student.on_message("t", KnowledgeSent(replace(PACKAGE, tensors=b"weights")), 4.0)
    assert student.state.phase is Phase.AWAITING


def test_an_agent_counts_its_own_lessons(profile):
    """Having taught as often as it agreed to, it refuses to teach again, whatever the coordinator's books say."""
    teacher = Agent("t", ("s", "t", "u"), transfer_set="hash", budget=4, patience=PATIENCE, rounds=9, terms=Terms(lessons=1))
    for round in (1, 2):
        teacher.on_message(COORDINATOR, RoundOpened(round), 0.0)
        teacher.on_result(profile("t", round), 1.0)
        match = replace(MATCH, round=round, match_id=f"r{round}-t-s")
        if round == 2:
            with pytest.raises(PeerError, match="the 1 times that it agreed to"):
                teacher.on_message(COORDINATOR, Matched(match), 2.0)
            return
        teacher.on_message(COORDINATOR, Matched(match), 2.0)
        teacher.on_message("s", KnowledgeRequested(REQUEST), 3.0)
        teacher.on_result(VettedPackage(replace(PACKAGE, match_id=match.match_id)), 4.0)


def test_a_student_that_has_received_all_it_agreed_to_says_so_at_once(profile, outcome):
    """Its last report came too late, so the coordinator does not know; it hears it with the next match, once, and nobody waits."""
    student = Agent("s", ("s", "t", "u"), transfer_set="hash", budget=4, patience=PATIENCE, rounds=9, terms=Terms(kilobytes=0.01))
    student.on_message(COORDINATOR, RoundOpened(1), 0.0)
    student.on_result(profile("s", 1), 1.0)
    student.on_message(COORDINATOR, Matched(MATCH), 2.0)
    student.on_result(REQUEST, 3.0)
    student.on_message("t", KnowledgeSent(PACKAGE), 4.0)
    student.on_message(COORDINATOR, RoundOpened(2), 5.0)
    student.on_result(outcome(MATCH.match_id), 6.0)
    student.on_result(profile("s", 2), 7.0)
    again = replace(MATCH, match_id="r2-t-s", round=2)
    assert student.on_message(COORDINATOR, Matched(again), 8.0) == [Send(COORDINATOR, ExchangeFailed("r2-t-s", REFUSED))]
    assert student.on_message(COORDINATOR, Matched(again), 8.0) == []
    assert student.on_message(COORDINATOR, RoundOpened(3), 9.0) == [Train(3)]
    student.on_result(profile("s", 3), 10.0)
    assert student.on_message(COORDINATOR, Matched(Match("r3-s-t", 3, "s", "t")), 11.0) == [WakeAt(11.0 + PATIENCE)], "it still teaches"


def test_a_student_whose_teacher_cannot_be_reached_says_so_at_once(profile):
    """The wait ends early, once, and only for the match that is waited for."""
    student = awaiting(profile)
    assert student.on_unreachable("another match", 4.0) == []
    actions = student.on_unreachable(MATCH.match_id, 4.0)
    assert [type(action.message) for action in actions if isinstance(action, Send)] == [ExchangeFailed]
    assert student.state.phase is Phase.IDLE
    assert student.on_unreachable(MATCH.match_id, 5.0) == []
