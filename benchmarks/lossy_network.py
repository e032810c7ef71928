"""Does a federation get on over links that lose, crawl and break, and how soon is one back that was cut off?

    python benchmarks/lossy_network.py [--loss 0.3] [--mbit 1] [--seeds 3]

A coordinator and six scripted agents, each on a host of its own (network namespaces: needs root, iproute2 and nftables). An agent is cut
off for three rounds of the others, then the coordinator for ten seconds. Floor of a round: the same federation over a network
that does nothing to it. Appends to results/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from knexa.config import FederationConfig, load_config
from knexa.events import EVENTS_FILE, read_events
from knexa.service.identity import CPM
from knexa.service.local import LocalFederation
from rows import append, row

TESTS = Path(__file__).parent.parent / "tests"
sys.path.append(str(TESTS / "equipment"))
os.environ["PYTHONPATH"] = os.pathsep.join([*map(str, (TESTS / "equipment", TESTS / "simulation")), os.environ.get("PYTHONPATH", "")])

from bad_network import BadNetwork  # noqa: E402 - found only now

WORKPLACE = "scored_workplace:ScoredWorkplace"
LONGEST_S = 300.0
CUT_S = 10.0

Events = list[dict[str, Any]]


def settings(seed: int) -> FederationConfig:
    sets = ("transport.lease_s=8", "transport.deadline_s=120", "matching.matchmaker=random", "evaluation.curve_every=0")
    return load_config(None, rounds=500, seed=seed, sets=sets)


def until(folder: Path, true: Callable[[Events], bool]) -> float:
    """Seconds until the record is so."""
    began = time.monotonic()
    while not (folder / EVENTS_FILE).exists() or not true(list(read_events(folder))):
        if time.monotonic() - began > LONGEST_S:
            raise TimeoutError(f"not within {LONGEST_S} s")
        time.sleep(0.05)
    return time.monotonic() - began


def rounds(events: Events) -> int:
    return sum(event["kind"] == "update" for event in events)


def profiles(agent: str, events: Events) -> int:
    """Of ``agent``, or of all."""
    return sum(event["kind"] == "profile" and agent in ("", event["agent"]) for event in events)


def measure(seed: int, loss: float, mbit: float | None) -> dict[str, Any]:
    config = settings(seed)
    names = [CPM, *(agent.name for agent in config.agents)]
    with tempfile.TemporaryDirectory() as place, BadNetwork(names, loss, mbit) as network:
        folder = Path(place) / "up"
        with LocalFederation(config, folder, WORKPLACE, hosts=network.hosts()) as federation:
            federation.start()
            Thread(target=federation.watch, args=(lambda name: None,), daemon=True).start()
            until(folder, lambda events: rounds(events) >= 1)
            steady = until(folder, lambda events: rounds(events) >= 6) / 5
            network.cut("agent-3")
            before = rounds(list(read_events(folder)))
            without = until(folder, lambda events: rounds(events) >= before + 3)
            seen = profiles("agent-3", list(read_events(folder)))
            network.mend("agent-3")
            agent_back = until(folder, lambda events: profiles("agent-3", events) > seen)
            network.cut(CPM)
            time.sleep(CUT_S)
            heard = profiles("", list(read_events(folder)))
            network.mend(CPM)
            coordinator_back = until(folder, lambda events: profiles("", events) > heard)
            federation.stop()
        events = list(read_events(folder))
    counted = {kind: [event["match_id"] for event in events if event["kind"] == kind] for kind in ("outcome", "reward")}
    return {
        "round_s": round(steady, 2),
        "three_rounds_without_s": round(without, 1),
        "agent_back_s": round(agent_back, 1),
        "coordinator_back_s": round(coordinator_back, 1),
        "twice": sum(len(ids) - len(set(ids)) for ids in counted.values()),
        "rewards": len(counted["reward"]),
        "faults": sum(event["kind"] == "fault" for event in events),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", type=float, default=0.3)
    parser.add_argument("--mbit", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    floor = measure(0, 0.0, None)
    found = [measure(seed, arguments.loss, arguments.mbit) for seed in range(arguments.seeds)]
    for seed, one in enumerate(found):
        append({**row("lossy_network", loss=arguments.loss, mbit=arguments.mbit, agents=6), "seed": seed, **one, "floor": floor})
    print(json.dumps({"floor": floor, "found": found}, indent=2))
    for key in ("round_s", "agent_back_s", "coordinator_back_s"):
        values = [one[key] for one in found]
        print(f"{key}: median {statistics.median(values)}, worst {max(values)}; without loss {floor[key]}")


if __name__ == "__main__":
    main()
