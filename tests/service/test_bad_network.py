"""Real hosts' links that lose, crawl and break: the federation goes on with the others, and takes back who returns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from bad_network import BadNetwork, available
from local_federation import WORKPLACE, small

from knexa.events import EVENTS_FILE, read_events
from knexa.record import read_run
from knexa.service.identity import CPM
from knexa.service.local import LocalFederation

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not available(), reason="needs root, iproute2 and nftables")]


@pytest.fixture(autouse=True)
def _equipment(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here / "equipment"), str(here / "simulation")]))


def wait_for(folder: Path, true: Callable[[list[dict[str, object]]], bool], seconds: float) -> float:
    """Until the record is so; how long that took. Fails after ``seconds``."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if (folder / EVENTS_FILE).exists() and true(list(read_events(folder))):
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


def rounds(events: list[dict[str, object]]) -> int:
    return sum(event["kind"] == "update" for event in events)


def profiles(events: list[dict[str, object]]) -> int:
    return sum(event["kind"] == "profile" for event in events)


def profiles_of(agent: str, events: list[dict[str, object]]) -> int:
    return sum(event["kind"] == "profile" and event["agent"] == agent for event in events)


def test_loss_slow_links_and_partitions(tmp_path: Path) -> None:
    """A tenth of the packets is lost and links carry 1 Mbit/s. One agent is cut off: rounds go on without it, and within 30 s of the

    mending it takes part again. Then the coordinator is cut off: nothing is lost or counted twice, and it goes on within 30 s.
    """
    config = small("transport.lease_s=8", "transport.deadline_s=120", "matching.matchmaker=random", rounds=200)
    names = [CPM, *(agent.name for agent in config.agents)]
    folder = tmp_path / "up"
    with BadNetwork(names, loss=0.1, mbit=1.0) as network, LocalFederation(config, folder, WORKPLACE, hosts=network.hosts()) as federation:
        federation.start()
        Thread(target=federation.watch, args=(lambda name: None,), daemon=True).start()
        wait_for(folder, lambda events: rounds(events) >= 2, 120)
        network.cut("agent-3")
        before = rounds(list(read_events(folder)))
        wait_for(folder, lambda events: rounds(events) >= before + 3, 120)
        seen = profiles_of("agent-3", list(read_events(folder)))
        network.mend("agent-3")
        wait_for(folder, lambda events: profiles_of("agent-3", events) > seen, 30)
        network.cut(CPM)
        time.sleep(10)
        before = profiles(list(read_events(folder)))
        network.mend(CPM)
        wait_for(folder, lambda events: profiles(events) > before, 30)
        federation.stop()
    events = list(read_events(folder))
    outcomes = [event["match_id"] for event in events if event["kind"] == "outcome"]
    assert len(set(outcomes)) == len(outcomes)
    rewards = [event["match_id"] for event in events if event["kind"] == "reward"]
    assert len(set(rewards)) == len(rewards)
    assert any(fault["agent"] == "agent-3" for fault in read_run(folder).faults)
