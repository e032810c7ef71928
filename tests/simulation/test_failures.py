from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from knexa.errors import ConfigurationError, KnexaError, ModelError, RunFolderError
from knexa.events import read_events
from knexa.protocol.peer import Study, Teach
from knexa.simulation.federation import Federation
from knexa.simulation.run_folder import RunFolder

WORKPLACE = "arithmetic_workplace:create"


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_an_exception_in_a_job_is_told_with_the_agents_name(config, tmp_path, kind):
    """One sentence with agent, work, round and cause; the traceback lies in the run folder."""
    with pytest.raises(KnexaError) as caught:
        Federation(config(kind=kind), workplace="arithmetic_workplace:create_bug").run(tmp_path / "run")
    assert str(caught.value) == 'agent "agent-2", train in round 2 failed: IndexError: list index out of range'
    assert "arithmetic_workplace.py" in (tmp_path / "run" / "error.txt").read_text()


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_an_error_of_ours_keeps_its_type_across_processes(config, tmp_path, kind):
    """The exit code of a ModelError is that of a ModelError, wherever it was raised."""
    with pytest.raises(ModelError, match=r'agent "agent-2".*train it again'):
        Federation(config(kind=kind), workplace="arithmetic_workplace:create_model_error").run(tmp_path / "run")


def test_a_killed_worker_is_an_error_and_not_a_hang(config, tmp_path):
    """The sentence names the signal and the job; the run can be resumed."""
    with pytest.raises(KnexaError, match=r'killed by signal 9.*agent "agent-2", train in round 2.*resume'):
        Federation(config(kind="processes"), workplace="arithmetic_workplace:create_killed").run(tmp_path / "run")
    whole = Federation(config(), workplace=WORKPLACE).run(tmp_path / "whole").events.read_bytes()
    assert Federation.resume(tmp_path / "run", workplace=WORKPLACE).run().events.read_bytes() == whole


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_a_workplace_that_cannot_be_loaded_is_the_configurations_fault(config, tmp_path, kind):
    """The name as written, and the form it should have."""
    with pytest.raises(ConfigurationError, match=r"nowhere:create.*module:object"):
        Federation(config(kind=kind), workplace="nowhere:create").run(tmp_path / "run")


def test_a_folder_with_something_in_it_is_refused_and_left_alone(config, tmp_path):
    """Nobody's files are overwritten, nor mixed with a run's."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="not an empty folder"):
        Federation(config(), workplace=WORKPLACE).run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_is_refused(config, tmp_path):
    """A folder below a file cannot be made."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        Federation(config(), workplace=WORKPLACE).run(tmp_path / "file" / "run")


def test_a_disk_that_is_nearly_full_is_refused_before_any_work(config, tmp_path, monkeypatch):
    """The run says how much it needs, and writes nothing."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10 * 2**20))
    with pytest.raises(RunFolderError, match=r"only 10 MB are free"):
        Federation(config(), workplace=WORKPLACE).run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_belongs_to_one_process_at_a_time(config, tmp_path):
    """A second process on the same folder is refused while the first is at it."""
    folder = RunFolder.create(tmp_path / "run", config())
    with pytest.raises(RunFolderError, match="another process"):
        Federation.resume(tmp_path / "run", workplace=WORKPLACE).run()
    folder.close()


def events_of(config, folder, duration) -> list[dict]:
    Federation(config, workplace=WORKPLACE, duration=duration).run(folder)
    return list(read_events(folder))


def test_a_slow_agent_delays_at_most_its_partner(config, tmp_path):
    """An agent that trains beyond the deadline misses its rounds; all others take part in every round and exchange as ever."""
    settings = config(rounds=4, agents=5, transport={"deadline_s": 10.0})
    events = events_of(settings, tmp_path / "run", lambda agent, work: 25.0 if agent == "agent-5" else 1.0)
    standings = events[-1]["participants"]
    assert standings["agent-5"]["missed"] > 0
    assert all(standings[f"agent-{number}"]["missed"] == 0 for number in range(1, 5))
    assert sum(event["kind"] == "outcome" for event in events) >= 2 * 4 - 1
    assert {event["agent"] for event in events if event["kind"] == "fault"} == {"agent-5"}


def test_a_student_slow_at_studying_costs_one_exchange(config, tmp_path):
    """Only the exchange of the slow student fails; the other pairs' outcomes of that round count."""
    settings = config(rounds=1, agents=4, transport={"deadline_s": 10.0})
    first = events_of(settings, tmp_path / "quick", lambda agent, work: 1.0)
    students = [event["student"] for event in first if event["kind"] == "outcome"]
    events = events_of(settings, tmp_path / "slow", lambda agent, work: 30.0 if agent == students[0] and "Study" in repr(work) else 1.0)
    assert [event["student"] for event in events if event["kind"] == "outcome"] == students[1:]
    (lost,) = [match for event in events if event["kind"] == "match" for match in event["matches"] if match["student"] == students[0]]
    assert [event["agent"] for event in events if event["kind"] == "fault"] == [lost["student"], lost["teacher"]]


def test_a_student_whose_reports_came_too_late_is_not_waited_for_once_it_is_full(config, tmp_path):
    """It has received what it agreed to, the coordinator does not know: it says so when it is matched, long before the deadline."""
    open_to_all = config(rounds=4, agents=2, transport={"deadline_s": 100.0})
    agents = tuple(agent.model_copy(update={"kilobytes": 0.01}) for agent in open_to_all.agents)
    settings = open_to_all.model_copy(update={"agents": agents})
    events = events_of(settings, tmp_path / "run", lambda agent, work: 150.0 if isinstance(work, Study) else 1.0)
    faults = [event for event in events if event["kind"] == "fault"]
    assert any("refused" in fault for fault in faults)
    assert not any("by" in fault for fault in faults), "nobody is accused of breaking the protocol"


def test_a_bad_network_costs_exchanges_and_never_the_run(config, tmp_path):
    """With four of ten messages lost the run still ends, and every match has an outcome or a fault."""
    events = events_of(config(rounds=6, transport={"loss": 0.4}), tmp_path / "run", None)
    assert events[-1]["kind"] == "end"
    matched = {match["match_id"] for event in events if event["kind"] == "match" for match in event["matches"]}
    rewarded = {event["match_id"] for event in events if event["kind"] == "reward"}
    assert rewarded < matched
    for match_id in matched - rewarded:
        assert any(match_id in event["what"] for event in events if event["kind"] == "fault")


def test_a_silent_teacher_leaves_no_fault_on_its_student_alone(config, tmp_path):
    """Once exchanges were quick the coordinator's deadline is earlier than the student's patience, so the student's word comes too late."""
    slow = config(rounds=10, agents=2, transport={"deadline_s": 3600.0})
    events = events_of(slow, tmp_path / "run", lambda agent, work: 1e4 if isinstance(work, Teach) and work.match.round == 9 else 1.0)
    faults = [event for event in events if event["kind"] == "fault" and event["round"] == 9]
    assert {event["agent"] for event in faults} == {"agent-1", "agent-2"}
    assert all("by the deadline" in event["what"] for event in faults)
