"""Real processes, real certificates, real TLS: the federation decides as its simulation does, whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event, Thread

import pytest
from local_federation import WORKPLACE, decisions, final_scores, small
from scored_workplace import MARKER, holds

from knexa.config import FederationConfig
from knexa.events import EVENTS_FILE, read_events
from knexa.exchange.ledger import LEFT, verified
from knexa.record import read_run
from knexa.service.identity import CPM, RELAY
from knexa.service.local import LocalFederation
from knexa.simulation.federation import Federation
from knexa.simulation.ledgers import ledgers_in

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _equipment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes find the workplace where this test has it."""
    here = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here / "equipment"), str(here / "simulation")]))


def simulated(config: FederationConfig, out: Path) -> Path:
    serial = config.model_copy(update={"engine": config.engine.model_copy(update={"kind": "serial"})})
    Federation(serial, workplace=WORKPLACE).run(out)
    return out


def killing(federation: LocalFederation, victims: list[str]) -> Iterator[str]:
    """Kill one after the other, each as soon as some more of the record has been written."""
    events = federation.folder / EVENTS_FILE
    for victim in victims:
        size = events.stat().st_size if events.exists() else 0
        while not events.exists() or events.stat().st_size < size + 2000:
            time.sleep(0.01)
        os.kill(federation.pids()[victim], signal.SIGKILL)
        yield victim


def test_a_real_federation_decides_as_its_simulation(tmp_path: Path) -> None:
    """Same pairs, rewards, matchmaker states and final scores, from other processes over a network; everybody ends as finished.

    The same texts leave: each stands in its teacher's ledger, there under a ticket.
    """
    config = small()
    with LocalFederation(config, tmp_path / "up", WORKPLACE) as federation:
        federation.start()
        federation.watch(lambda name: pytest.fail(f"{name} died"))
    expected = simulated(config, tmp_path / "simulated")
    assert decisions(tmp_path / "up") == decisions(expected)
    assert final_scores(tmp_path / "up") == final_scores(expected)
    run = read_run(tmp_path / "up")
    assert run.finished
    assert {one["state"] for one in run.participants.values()} == {"finished"}
    assert not run.faults
    assert left(tmp_path / "up") == left(expected)
    tickets = {(entry.match_id, entry.ticket) for path in ledgers_in(tmp_path / "up") for entry in verified(path)}
    assert len({match_id for match_id, _ in tickets}) == len({ticket for _, ticket in tickets}) == len(tickets)
    assert all(len(ticket) == 64 for _, ticket in tickets)


def left(folder: Path) -> dict[str, list[tuple[str, str, str, str | None]]]:
    """By teacher: the match, the student, the prompt and the text of everything that its ledger says has left."""
    return {
        path.parent.name: [(entry.match_id, entry.student, entry.prompt, entry.text) for entry in verified(path) if entry.what == LEFT]
        for path in ledgers_in(folder)
    }


def test_kills_cost_no_acknowledged_reward_and_no_second_count(tmp_path: Path) -> None:
    """The coordinator is killed four times, agents twice: the run ends by itself, each match has at most one outcome, and the record is

    what a replay of the journal gives: the last start has written it anew from there.
    """
    config = small(rounds=5)
    restarted: list[str] = []
    with LocalFederation(config, tmp_path / "up", WORKPLACE) as federation:
        federation.start()
        killer = Thread(target=lambda: list(killing(federation, [CPM, "agent-2", CPM, CPM, "agent-5", CPM])), daemon=True)
        killer.start()
        federation.watch(restarted.append)
    assert restarted.count(CPM) >= 1
    run = read_run(tmp_path / "up")
    assert run.finished
    assert {one["state"] for one in run.participants.values()} == {"finished"}
    events = list(read_events(tmp_path / "up"))
    outcomes = [event["match_id"] for event in events if event["kind"] == "outcome"]
    rewards = [event["match_id"] for event in events if event["kind"] == "reward"]
    assert len(set(outcomes)) == len(outcomes)
    assert rewards == [one for match in events if match["kind"] == "match" for one in _ids(match) if one in set(outcomes)]
    assert len(rewards) >= 10


def _ids(event: dict[str, object]) -> list[str]:
    return [match["match_id"] for match in event["matches"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("signal_number", [signal.SIGSTOP, signal.SIGTERM])
def test_who_is_gone_is_not_waited_for(tmp_path: Path, signal_number: signal.Signals) -> None:
    """One agent freezes, or is told to end and says goodbye: the others go on after a lease at most, far from any deadline, and the

    result names it as lost.
    """
    config = small("transport.lease_s=3", "transport.deadline_s=600", rounds=4)
    began = time.monotonic()
    with LocalFederation(config, tmp_path / "up", WORKPLACE) as federation:
        federation.start()
        events = federation.folder / EVENTS_FILE
        while not events.exists() or '"kind":"update"' not in events.read_text().replace(" ", ""):
            time.sleep(0.01)
        os.kill(federation.pids()["agent-4"], signal_number)
        federation.watch(lambda name: pytest.fail(f"{name} died"))
        if signal_number is signal.SIGSTOP:
            os.kill(federation.pids()["agent-4"], signal.SIGKILL)  # a frozen process hears of no other signal
    assert time.monotonic() - began < 120
    run = read_run(tmp_path / "up")
    assert run.finished
    states = {name: one["state"] for name, one in run.participants.items()}
    assert states.pop("agent-4") == "lost"
    assert set(states.values()) == {"finished"}
    assert [event["round"] for event in read_events(tmp_path / "up") if event["kind"] == "update"] == [1, 2, 3, 4]
    assert any(fault["agent"] == "agent-4" and "gone" in fault["what"] for fault in run.faults)


@pytest.mark.parametrize(("hidden", "closed"), [(0, "agent-2"), (1, "agent-6")])
def test_a_policy_vetoes_and_nobody_waits_for_what_it_vetoed(tmp_path: Path, hidden: int, closed: str) -> None:
    """One agent teaches nobody and another learns from nobody, whatever the coordinator says: those matches end as refused, by a word

    and not by a deadline, all others go on, and the two do the other half of what they are asked. So it is with an agent that only
    dials out, too.
    """
    config = small("matching.matchmaker=random", "transport.deadline_s=600", rounds=8)
    mute, deaf = tmp_path / "mute.toml", tmp_path / "deaf.toml"
    mute.write_text("teaches = []")
    deaf.write_text("learns_from = []")
    options = {closed: ["--policy", str(mute)], "agent-5": ["--policy", str(deaf)]}
    began = time.monotonic()
    with LocalFederation(config, tmp_path / "up", WORKPLACE, options, hidden) as federation:
        federation.start()
        federation.watch(lambda name: pytest.fail(f"{name} died"))
    assert time.monotonic() - began < 200
    events = list(read_events(tmp_path / "up"))
    matches = {match["match_id"]: match for event in events if event["kind"] == "match" for match in event["matches"]}
    vetoed = {name for name, match in matches.items() if match["teacher"] == closed or match["student"] == "agent-5"}
    done = {event["match_id"] for event in events if event["kind"] == "outcome"}
    assert len(vetoed) > 2
    assert done == matches.keys() - vetoed
    assert closed in {matches[one]["student"] for one in done}
    assert {"agent-5"} <= {matches[one]["teacher"] for one in done}


def test_agents_that_only_dial_out_decide_alike_and_a_relay_sees_no_text(tmp_path: Path) -> None:
    """Four of six agents have no port: exchanges travel directly, on a line that the teacher opens, and by a relay, and the federation

    decides as its simulation. What is taught is on the disk of agents only: nothing of it at the coordinator or the relay, or in a log.
    """
    config = small("matching.matchmaker=random", rounds=5)
    held: list[str] = []
    with LocalFederation(config, tmp_path / "up", "scored_workplace:create_marked", hidden=4) as federation:
        federation.start()
        pids = {name: pid for name, pid in federation.pids().items() if name in (CPM, RELAY)}
        over = Event()
        searching = Thread(target=search, args=(pids, MARKER.encode(), held, over))
        searching.start()
        federation.watch(lambda name: pytest.fail(f"{name} died"))
        over.set()
        searching.join()
    assert decisions(tmp_path / "up") == decisions(simulated(config, tmp_path / "simulated"))
    paths = [taken for event in read_events(tmp_path / "up") if event["kind"] == "path" for taken in event["paths"].values()]
    assert set(paths) == {"direct", "reverse", "relay"}
    assert "sealed bytes were carried" in (tmp_path / "up" / "logs" / "relay.log").read_text()
    assert set(held) == {"searched cpm", "searched relay"}
    holding = [one for one in (tmp_path / "up").rglob("*") if one.is_file() and MARKER.encode() in one.read_bytes()]
    assert holding, "the texts that arrived had the marker"
    assert {one.relative_to(tmp_path / "up").parts[0] for one in holding} == {"agents"}


def search(pids: Mapping[str, int], needle: bytes, held: list[str], over: Event) -> None:
    """What is found in the memory of processes, again and again while they live."""
    while not over.wait(0.3):
        for name, pid in pids.items():
            try:
                found = holds(pid, needle)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            held.append(f"{'FOUND in' if found else 'searched'} {name}")
