"""Does a real federation decide as its simulation, and what does it take beside it?

    python benchmarks/real_federation.py [--rounds 5] [--problems 24]

Runs one configuration twice: as `knexa up` does (a process for the coordinator and each agent, mutual TLS, sealed exchanges), and as
`knexa run` does with two workers. Compares pairs, rewards, the matchmaker's state and all scores, byte for byte. Floor of the time: the
simulation's. Coordination itself is told from the rest in two ways: the share of the time, from the first piece of work to the last, in
which no agent trains, generates or evaluates (target: 5 %); and the processor time of the coordinator's process, start-up included, over
that of all processes. Appends to results/.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from knexa.config import FederationConfig, load_config
from knexa.events import read_events
from knexa.record import read_run
from knexa.service.identity import CPM
from knexa.service.local import LocalFederation
from knexa.simulation.federation import Federation
from rows import append, row

KINDS = ("match", "reward", "update", "evaluation")


def settings(rounds: int, problems: int) -> FederationConfig:
    return load_config(None, rounds=rounds, sets=(f"evaluation.problems={problems}", "evaluation.samples=2", "evaluation.k=[1,2]"))


def decided(folder: Path) -> dict[str, list[str]]:
    """Scores of one round come in any order: what counts is which they are."""
    events = list(read_events(folder))
    found = {kind: [json.dumps(event, sort_keys=True) for event in events if event["kind"] == kind] for kind in KINDS}
    return {**found, "evaluation": sorted(found["evaluation"])}


def processor_seconds(pid: int) -> float:
    """Time that all threads of a process have computed so far, in seconds (Linux: fields 14 and 15 of stat, after the name)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=24)
    arguments = parser.parse_args()
    config = settings(arguments.rounds, arguments.problems)
    with tempfile.TemporaryDirectory() as place:
        real, simulated = Path(place) / "up", Path(place) / "run"
        used: dict[str, float] = {}
        with LocalFederation(config, real) as federation:
            federation.start()
            while not (real / "events.jsonl").exists() or not read_finished(real):
                used |= {name: processor_seconds(pid) for name, pid in federation.pids().items() if Path(f"/proc/{pid}/stat").exists()}
                time.sleep(0.2)
            federation.watch(lambda name: print(f"{name} died and was started again"))
            federation.gather_timings()
        Federation.from_config(config).run(simulated)
        one, other = decided(real), decided(simulated)
        result = {
            "seed": config.seed,
            "equal": {kind: one[kind] == other[kind] for kind in KINDS},
            "idle_share": round(idle_share(real), 4),
            "seconds": round(read_run(real).seconds or 0.0, 1),
            "simulated_seconds": round(read_run(simulated).seconds or 0.0, 1),
            "processor_seconds": round(sum(used.values()), 1),
            "coordinator_share": round(used[CPM] / sum(used.values()), 4),
        }
    append({**row("real_federation", agents=len(config.agents), rounds=arguments.rounds, problems=arguments.problems), **result})
    print(json.dumps(result, indent=2))


def idle_share(folder: Path) -> float:
    """Share of the time between the first piece of work and the last in which nobody works."""
    jobs = sorted((job["at"], job["at"] + job["seconds"]) for job in read_run(folder).jobs if job["job"] != "start")
    busy, until = 0.0, jobs[0][0]
    for begin, end in jobs:
        busy += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return 1.0 - busy / (until - jobs[0][0])


def read_finished(folder: Path) -> bool:
    return any(event["kind"] == "end" for event in read_events(folder))


if __name__ == "__main__":
    main()
