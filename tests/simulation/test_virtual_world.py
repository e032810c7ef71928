from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.config import TransportConfig
from knexa.errors import RunFolderError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.matching.match import Match
from knexa.protocol.agent import AgentState, Phase
from knexa.protocol.peer import Ask, KnowledgeSent, Study, Teach, Train
from knexa.simulation.agenda import Agenda, Arrival, WakeUp
from knexa.simulation.duration import nominal_duration
from knexa.simulation.encoding import from_json, to_json
from knexa.simulation.federation import Federation
from knexa.simulation.transport import Transport


@given(st.lists(st.integers(0, 5), max_size=30))
def test_the_agenda_is_ordered_by_time_and_then_by_entry(times: list[int]) -> None:
    """Equal times come out in the order in which they were put in; the clock never runs backwards."""
    agenda = Agenda()
    for number, time in enumerate(times):
        agenda.add(float(time), WakeUp(str(number)))
    seen = []
    while (occurrence := agenda.pop()) is not None:
        assert isinstance(occurrence, WakeUp)
        seen.append((agenda.now, int(occurrence.who)))
    assert seen == sorted((float(time), number) for number, time in enumerate(times))


def test_an_agenda_restored_from_its_snapshot_goes_on_the_same() -> None:
    """Clock, entries and sequence numbers survive."""
    agenda = Agenda()
    for time in (3.0, 1.0, 1.0, 2.0):
        agenda.add(time, WakeUp(f"at {time}"))
    agenda.pop()
    copy = Agenda(*agenda.snapshot())
    for one in (agenda, copy):
        one.add(1.0, WakeUp("late"))
    assert [agenda.pop() for _ in range(5)] == [copy.pop() for _ in range(5)]


def test_what_was_to_happen_in_the_past_happens_now() -> None:
    """An entry before the clock's time does not turn it back."""
    agenda = Agenda(now=10.0)
    agenda.add(4.0, WakeUp("x"))
    agenda.pop()
    assert agenda.now == 10.0


def test_the_network_has_the_delay_and_loss_of_its_configuration() -> None:
    """Over many messages the mean delay and the share of losses are those asked for."""
    transport = Transport(TransportConfig(delay_s=0.2, loss=0.25), seed=1)
    fates = [transport.delay() for _ in range(4000)]
    arrived = [fate for fate in fates if fate is not None]
    assert 1 - len(arrived) / len(fates) == pytest.approx(0.25, abs=0.03)
    assert sum(arrived) / len(arrived) == pytest.approx(0.2, rel=0.1)


def test_a_messages_fate_depends_on_its_number_alone() -> None:
    """A network that starts at message 50 draws what another draws there: resume needs no generator's state."""
    config = TransportConfig(loss=0.3)
    first, second = Transport(config, 7), Transport(config, 7, sent=50)
    assert [first.delay() for _ in range(80)][50:] == [second.delay() for _ in range(30)]


def test_checkpointed_values_come_back_equal() -> None:
    """Nested messages, infinite deadlines, order of texts: all survive JSON."""
    match = Match("r1-a-b", 1, "a", "b", curriculum=(0.1,) * 12, score=1 / 3)
    package = KnowledgePackage("r1-a-b", "h", {"z": "π", "a": 'return "x"'}, 2)
    values = (
        Arrival("a", "b", KnowledgeSent(package)),
        AgentState(Phase.STUDYING, 1, 2, match=match),
        Study(match, package),
        None,
        0.1 + 0.2,
    )
    back = from_json(json.loads(json.dumps(to_json(values))))
    assert back == values
    assert list(back[2].package.texts) == ["z", "a"]


def test_a_checkpoint_cannot_name_a_class_of_its_own() -> None:
    """Only the listed classes are made from a checkpoint."""
    with pytest.raises(RunFolderError, match="unknown kind 'Popen'"):
        from_json({"is": "Popen", "args": ["true"]})


def test_durations_grow_with_the_work(config) -> None:
    """More texts to study take longer, and an Ask takes no time."""
    duration = nominal_duration(config())
    match = Match("m", 1, "a", "b")
    small, large = (KnowledgePackage("m", "h", {str(n): "" for n in range(count)}) for count in (1, 20))
    assert duration("b", Study(match, small)) < duration("b", Study(match, large))
    several = nominal_duration(config(distillation={"candidates": 4}))
    request = KnowledgeRequest("m", ("1", "2"), 8)
    assert several("a", Teach(match, request)) == pytest.approx(4 * duration("a", Teach(match, request)))
    assert duration("b", Study(match, replace(small, others={"0": ("", "")}))) > duration("b", Study(match, small))


def test_no_configuration_makes_stragglers_of_all_its_agents(config) -> None:
    """However long the training or the answers, every piece of work fits well into its phase."""
    for sections in ({"local": {"first_steps": 10**6}}, {"distillation": {"prompts": 10**5}}, {"generation": {"max_new_tokens": 10**6}}):
        settings = config(transport={"deadline_s": 60.0}, **sections)
        duration = nominal_duration(settings)
        match = Match("m", 1, "a", "b")
        prompts = tuple(map(str, range(settings.distillation.prompts)))
        package = KnowledgePackage("m", "h", dict.fromkeys(prompts, ""))
        request = KnowledgeRequest("m", prompts, len(prompts))
        for work in (Train(1), Train(2), Ask(match), Teach(match, request), Study(match, package)):
            assert duration("a", work) <= 0.2 * 60.0


@pytest.mark.parametrize("method", ["none", "fedavg", "central-kd", "fedid"])
def test_progress_counts_up_to_the_jobs_it_promised(config, tmp_path, method) -> None:
    """Without faults the number of jobs is known from the start, and the time left ends at nothing."""
    news = []
    sections = {} if method == "none" else {"matching": {"matchmaker": "local"}, "central": {"method": method}}
    Federation(config(**sections), workplace="arithmetic_workplace:create").run(tmp_path / "run", news.append)
    assert [one.done for one in news] == list(range(1, len(news) + 1))
    assert {one.jobs for one in news[1:]} == {len(news)}
    assert news[-1].eta_s == 0
    assert {one.phase for one in news} == {"start", "training", "exchange", "evaluation", "saving"}
