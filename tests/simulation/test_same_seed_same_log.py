from __future__ import annotations

import json

import pytest

from knexa.events import read_events
from knexa.simulation.federation import Federation

WORKPLACE = "arithmetic_workplace:create"


def run(config, folder) -> bytes:
    return Federation(config, workplace=WORKPLACE).run(folder).events.read_bytes()


@pytest.mark.parametrize("matchmaker", ["knexa", "random", "oracle"])
def test_two_runs_of_one_seed_write_the_same_bytes(config, tmp_path, matchmaker):
    """Nothing but the configuration decides what is logged."""
    settings = config(matching={"matchmaker": matchmaker}, transport={"loss": 0.1})
    assert run(settings, tmp_path / "one") == run(settings, tmp_path / "two")


def test_another_seed_writes_another_log(config, tmp_path):
    """The seed reaches the starting states and the network."""
    assert run(config(seed=1), tmp_path / "one") != run(config(seed=2), tmp_path / "two")


@pytest.mark.parametrize(("matchmaker", "loss"), [("knexa", 0.0), ("knexa", 0.2), ("oracle", 0.0)])
def test_every_engine_writes_the_same_bytes(config, tmp_path, matchmaker, loss):
    """Serial or in two processes, with a good or a bad network, with or without an oracle's trials."""
    sections = {"matching": {"matchmaker": matchmaker}, "transport": {"loss": loss, "delay_s": 0.5}}
    assert run(config(kind="serial", **sections), tmp_path / "one") == run(config(kind="processes", **sections), tmp_path / "two")


@pytest.mark.parametrize("method", ["fedavg", "central-kd", "fedid"])
def test_every_engine_writes_the_same_bytes_with_a_server(config, tmp_path, method):
    """A server's steps, with a bad network on the way: serial, in two processes, and twice."""
    sections = {"matching": {"matchmaker": "local"}, "central": {"method": method}, "transport": {"loss": 0.1}}
    first = run(config(kind="serial", **sections), tmp_path / "one")
    assert (
        first == run(config(kind="processes", **sections), tmp_path / "two") == run(config(kind="serial", **sections), tmp_path / "three")
    )
    assert first.count(b'"kind":"central"') == 3 + (method == "fedavg")


def test_all_strategies_of_a_seed_start_from_the_same_bytes(config, tmp_path):
    """start_hash does not depend on the matchmaker."""
    hashes = set()
    for matchmaker in ("knexa", "random", "local"):
        run(config(matching={"matchmaker": matchmaker}), tmp_path / matchmaker)
        hashes.add(next(read_events(tmp_path / matchmaker))["start_hash"])
    assert len(hashes) == 1


def test_an_oracles_trials_leave_nothing_behind(config, tmp_path):
    """With no reward to choose by, the oracle's agents end where they would have ended: trials work on copies."""
    run(config(rounds=1, matching={"matchmaker": "oracle"}), tmp_path / "oracle")
    events = list(read_events(tmp_path / "oracle"))
    matches = next(event["matches"] for event in events if event["kind"] == "match")
    ends = {event["agent"]: event["scores"] for event in events if event["kind"] == "evaluation" and event["stage"] == "end"}
    run(config(rounds=1, matching={"matchmaker": "local"}), tmp_path / "local")
    alone = {e["agent"]: e["scores"] for e in read_events(tmp_path / "local") if e["kind"] == "evaluation" and e["stage"] == "end"}
    students = {match["student"] for match in matches}
    assert students
    assert {agent for agent in ends if ends[agent] != alone[agent]} == students


def test_the_oracles_trial_promises_what_the_exchange_then_gives(config, tmp_path):
    """The score of each chosen match is the raw reward that its exchange earns."""
    run(config(rounds=2, matching={"matchmaker": "oracle"}), tmp_path / "run")
    events = list(read_events(tmp_path / "run"))
    promised = {match["match_id"]: match["score"] for event in events if event["kind"] == "match" for match in event["matches"]}
    given = {event["match_id"]: event["raw"] for event in events if event["kind"] == "reward"}
    assert promised == pytest.approx(given)
    assert promised


def test_a_run_folder_holds_what_its_readers_expect(config, tmp_path):
    """Header first, end last with every participant; timings with jobs, phases and a total; adapters saved; no checkpoint left."""
    settings = config(kind="processes")
    run(settings, tmp_path / "run")
    events = list(read_events(tmp_path / "run"))
    assert events[0]["kind"] == "header"
    assert "engine" not in events[0]["config"]
    assert events[-1]["kind"] == "end"
    assert set(events[-1]["participants"]) == {agent.name for agent in settings.agents}
    rows = [json.loads(line) for line in (tmp_path / "run" / "timings.jsonl").read_text().splitlines()]
    assert {row["kind"] for row in rows} == {"job", "phase", "total"}
    assert {row["worker"] for row in rows if row["kind"] == "job"} <= {0, 1}
    assert (tmp_path / "run" / "agents" / "agent-1" / "adapter" / "competence.json").is_file()
    assert not list((tmp_path / "run").glob("checkpoint*"))
