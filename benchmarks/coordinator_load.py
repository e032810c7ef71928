"""How many agents can one coordinator carry?

    python benchmarks/coordinator_load.py [--agents 500] [--rounds N | --minutes M] [--spread 20] [--organisations 10] [--bursts 2]

A real coordinator process over a journal on disk, and scripted agents that each have a certificate and lines of their own to it, as real
ones have (scripted_agents.py). In a round an agent reports its profile after a time drawn from 0 to `--spread` seconds, and its outcome
likewise; in the last `--bursts` rounds all report at once. The agents' process runs on the same cores as the coordinator, as does whatever
else the machine does: `agents_side` says how late they were themselves, `load` in the row how busy the machine was.

Told: milliseconds from sending a report to its acknowledgement, retries included; seconds of a match, from the moment when the coordinator
took the last profile until the last agent heard of its match; the coordinator's memory and processor time; whether the targets are met.
Floor of an acknowledgement: one synced append to the same disk and one call over mutual TLS that does nothing (service_floor.py).
`--no-beside` leaves out what agents call all the time beside their reports. Identities are made in memory, where syncing costs nothing: on
a disk 500 take about a minute. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.pool import AsyncResult
from pathlib import Path
from typing import Any

from knexa.config import EMBEDDED_BACKBONES, FederationConfig, load_config, to_toml
from knexa.events import read_events
from knexa.service.cpm.journal import Journal
from knexa.service.identity import CPM
from knexa.service.local import provision
from knexa.service.settings import settings_hash
from load_figures import Glance, Played, agents_side, entrance, memory, under_load
from rows import append, row
from scripted_agents import Script, Seen, play, usual_calls
from service_floor import append_seconds, call_seconds

LOG = "coordinator.log"
GLANCE_S = 0.5
#: Bytes of a profile on the wire, nearly.
PROFILE_BYTES = 480

#: From a profile to its acknowledgement while reports are spread, and from the last profile to the last agent that hears of its match.
TARGET_P99_MS, TARGET_MATCH_S = 50.0, 2.0


def settings(agents: int, organisations: int, rounds: int, seed: int, beside: bool = True) -> FederationConfig:
    """An agent that calls nothing beside its reports would lose its lease, so leases are long where that is measured."""
    sets = ["evaluation.curve_every=0", "transport.deadline_s=300", *([] if beside else ["transport.lease_s=3600"])]
    config = load_config(None, rounds=rounds, seed=seed, sets=sets)
    names = [f"agent-{number:04d}" for number in range(agents)]
    kinds = [f"embedded:{EMBEDDED_BACKBONES[number % len(EMBEDDED_BACKBONES)]}" for number in range(agents)]
    listed = [
        {"name": name, "backbone": kind, "organisation": f"org-{number % organisations}"}
        for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    return FederationConfig.model_validate({**config.model_dump(), "agents": listed})


def know_all_lists(keys: Path, folders: Mapping[str, Path]) -> None:
    """Everybody has every organisation's list of revoked certificates, as a few seconds after a start: to take them over costs an agent
    some 30 ms, which hundreds of agents have a machine each for.
    """
    lists = [path for authority in keys.glob("ca-*") for path in (authority / "trust").glob("*.crl")]
    for folder in folders.values():
        for path in lists:
            shutil.copyfile(path, folder / "trust" / path.name)


@contextmanager
def coordinator(config: FederationConfig, identity: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A coordinator's process, and the address at which it listens. Ends it, if it has not ended."""
    file, log = folder / "federation.toml", folder / LOG
    file.write_text(to_toml(config), encoding="utf-8")
    command = [sys.executable, "-m", "knexa", "cpm", "serve", str(file), "--identity", str(identity), "--listen", "127.0.0.1:0"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--out", str(folder / "run")], stdout=out, stderr=out, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    try:
        while not (found := re.search(r"listening at (\S+)", log.read_text(encoding="utf-8"))):
            if process.poll() is not None:
                raise SystemExit(f"the coordinator ended before it listened; its last lines:\n{last_lines(log)}")
            time.sleep(0.1)
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def last_lines(log: Path) -> str:
    return "\n".join(line[:200] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def glance(pid: int) -> Glance | None:
    """None if the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    held = re.search(r"VmRSS:\s+(\d+) kB", status)
    ticks = int(fields[11]) + int(fields[12])
    return Glance(time.time(), int(held[1]) / 1024, ticks / os.sysconf("SC_CLK_TCK")) if held else None


def watched(process: subprocess.Popen[bytes], playing: list[AsyncResult[Seen]]) -> list[Glance]:
    """Until the coordinator has ended, or agents fail."""
    glances = []
    while process.poll() is None and not any(one.ready() and not one.successful() for one in playing):
        if (seen := glance(process.pid)) is not None:
            glances.append(seen)
        time.sleep(GLANCE_S)
    return glances


def federation(config: FederationConfig, script: Mapping[str, Any], folders: Mapping[str, Path], folder: Path, clients: int) -> Played:
    agents = [agent.name for agent in config.agents]
    shares = [{name: folders[name] for name in agents[start::clients]} for start in range(clients)]
    with coordinator(config, folders[CPM], folder) as (process, address), multiprocessing.get_context("spawn").Pool(clients) as pool:
        playing = [pool.apply_async(play, (Script(share, address, settings_hash(config), **script),)) for share in shares]
        glances = watched(process, playing)
        if process.returncode:
            raise SystemExit(f"the coordinator ended with code {process.returncode}; its last lines:\n{last_lines(folder / LOG)}")
        seen = [one.get(timeout=60.0) for one in playing]
    events = list(read_events(folder / "run"))
    states = [state["state"] for event in events if event["kind"] == "end" for state in event["participants"].values()]
    ends = {"faults": sum(event["kind"] == "fault" for event in events), **{state: states.count(state) for state in sorted(set(states))}}
    return Played(seen, glances, last_profiles(folder / "run" / "journal.sqlite"), script["spreads"], ends)


def last_profiles(path: Path) -> dict[int, float]:
    taken: dict[int, float] = {}
    with Journal(f"sqlite:///{path}") as journal:
        for entry in journal.entries():
            if entry.entry_id.startswith("profile-"):
                taken[int(entry.entry_id.removeprefix("profile-"))] = entry.time  # entries are in the order in which they were taken
    return taken


def floor(figures: Mapping[str, Any], agent: str, folders: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Milliseconds for some ``agent``, and how often the floor fits into a profile's acknowledgement."""
    body = os.urandom(PROFILE_BYTES)
    synced, call = 1e3 * append_seconds(folder, body), 1e3 * call_seconds(folders[CPM], folders[agent], body)
    over = {kind: round(figures[kind]["profile"]["p50_ms"] / (synced + call), 1) for kind in ("spread", "burst") if figures[kind]}
    return {"append_ms": round(synced, 3), "call_ms": round(call, 3), "p50_over_floor": over}


def met(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Of the targets, those that a run of any length can tell of."""
    loads = [figures[kind] for kind in ("spread", "burst") if figures[kind]]
    p99 = figures["spread"]["profile"]["p99_ms"] if figures["spread"] else math.inf
    return {"profile_p99": p99 <= TARGET_P99_MS, "match": max(load["match_s"]["max"] for load in loads) <= TARGET_MATCH_S}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    steady = arguments.rounds if arguments.minutes is None else max(1, round(60 * arguments.minutes / (2 * arguments.spread + 1)))
    spreads = (*(arguments.spread,) * steady, *(0.0,) * arguments.bursts)
    config = settings(arguments.agents, arguments.organisations, len(spreads), arguments.seed, arguments.beside)
    beside = usual_calls(config.transport.lease_s) if arguments.beside else {}
    script = {"seed": arguments.seed, "spreads": spreads, "beside": beside}
    with tempfile.TemporaryDirectory(dir=arguments.disk) as disk, tempfile.TemporaryDirectory(dir=arguments.identities) as keys:
        began = time.perf_counter()
        folders = provision(config, Path(keys))
        provisioned = time.perf_counter() - began
        know_all_lists(Path(keys), folders)
        print(f"{len(folders)} identities in {provisioned:.1f} s; {len(spreads)} rounds", flush=True)
        played = federation(config, script, folders, Path(disk), arguments.clients)
        figures = {"spread": under_load(played, burst=False), "burst": under_load(played, burst=True)}
        figures["floor"] = floor(figures, config.agents[0].name, folders, Path(disk))
    asked = {name: getattr(arguments, name) for name in ("seed", "agents", "organisations", "clients", "beside")}
    others = {"entrance": entrance(played), "memory_mib": memory(played), "agents_side": agents_side(played), "ends": dict(played.ends)}
    return {**asked, "spread_s": arguments.spread, "provision_s": round(provisioned, 1), **figures, **others, "met": met(figures)}


def table(figures: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """A line for each figure, or for each group of figures that belong together."""
    for name, value in figures.items():
        if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
            yield from table(value, f"{above}{name} ")
        else:
            told = "  ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else value
            yield f"{above + name:28} {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=500)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--rounds", type=int, default=3, help="rounds in which reports are spread")
    length.add_argument("--minutes", type=float, help="as many of them as fit")
    parser.add_argument("--spread", type=float, default=20.0, help="seconds")
    parser.add_argument("--bursts", type=int, default=2, help="rounds at the end in which all report at once")
    parser.add_argument("--organisations", type=int, default=10)
    parser.add_argument("--clients", type=int, default=1, choices=(1, 2), help="processes that the agents share")
    parser.add_argument("--beside", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--disk", type=Path, help="folder for the journal (default: that of temporary files)")
    parser.add_argument("--identities", type=Path, default=Path("/dev/shm"), help="folder in which identities are made")
    parser.add_argument("--seed", type=int, default=0)
    figures = measure(parser.parse_args())
    for line in table(figures):
        print(line)
    print("appended to", append(row("coordinator_load", **figures)))


if __name__ == "__main__":
    main()
