"""Does anything get lost or counted twice when the coordinator and agents are killed (`kill -9`), and how soon does it go on?

    python benchmarks/kills.py [--coordinator 200] [--agents 50] [--seed 0]

Coordinator: scripted agents report to a real process, which is killed at random moments, also while it starts, and started again at
once. Every outcome that was acknowledged must be in the record once, with its reward, and the record must be, byte for byte, what a replay
of the journal gives. From a kill to the next input taken: target 5 s; floor: the time that Python takes to start and end.

Agents: real agent processes with scripted models, killed one after the other; all must end as finished. Appends to results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from knexa.config import FederationConfig, load_config, to_toml
from knexa.events import EVENTS_FILE, encode, read_events
from knexa.protocol.assembly import coordinator_of, header_of
from knexa.record import read_run
from knexa.service import local
from knexa.service.cpm.conductor import Conductor
from knexa.service.cpm.journal import Journal
from knexa.service.cpm.process import JOURNAL_FILE
from knexa.service.identity import CPM
from knexa.service.settings import settings_hash
from rows import append, row
from scripted_agents import Script, ScriptedAgent, Seen

TESTS = Path(__file__).parent.parent / "tests"
WORKPLACE = "scored_workplace:ScoredWorkplace"
THINK_S = 0.3
LONGEST_S = 60.0


class Supervised:
    """The coordinator's process, started again as soon as it has ended."""

    def __init__(self, command: list[str], log: Path, journal: Path) -> None:
        self._command, self._log, self._journal = command, log, journal
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as out:
            return subprocess.Popen(self._command, stdout=out, stderr=out)

    def entries(self) -> int:
        """Reports in the journal: what the coordinator decides by itself does not count."""
        if not self._journal.exists():
            return 0
        with sqlite3.connect(f"file:{self._journal}?mode=ro", uri=True, timeout=10) as reader:
            try:
                return int(reader.execute("select count(*) from entries where kind = 'report'").fetchone()[0])
            except sqlite3.OperationalError:
                return 0  # it is being made

    def wait_for_input(self) -> float:
        """Seconds until another input is in the journal."""
        before, began = self.entries(), time.monotonic()
        while self.entries() == before:
            if self._process.poll() is not None or time.monotonic() - began > LONGEST_S:
                raise RuntimeError(f"the coordinator does not go on; see {self._log}")
            time.sleep(0.01)
        return time.monotonic() - began

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def kill_coordinator(coordinator: Supervised, kills: int, drawn: random.Random, over: Event, found: dict[str, Any]) -> None:
    """At moments drawn evenly from the second and a half after it has gone on; a fifth of the kills while it starts again."""
    waits: list[float] = []
    try:
        coordinator.wait_for_input()
        for _ in range(kills):
            time.sleep(drawn.uniform(0.0, 1.5))
            coordinator.kill()
            began = time.monotonic()
            if drawn.random() < 0.2:
                time.sleep(drawn.uniform(0.0, 1.5))
                coordinator.kill()
                began = time.monotonic()
            coordinator.wait_for_input()
            waits.append(time.monotonic() - began)
        found["waits"] = waits
    except RuntimeError as error:
        found["error"] = str(error)
    finally:
        over.set()


async def play(script: Script, seen: Seen, over: Event) -> None:
    lives = [asyncio.create_task(ScriptedAgent(name, script, seen).live()) for name in script.folders]
    while not over.is_set():
        await asyncio.sleep(0.05)
        for one in lives:
            if one.done():
                one.result()
    for one in lives:
        one.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


class Lines:
    """A recorder in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.lines.append(encode({"kind": kind, **fields}))

    def mark(self) -> dict[str, Any]:
        return {}


def replayed(config: FederationConfig, journal: Path) -> bytes:
    """The record that the journal gives."""
    recorder = Lines()
    with Journal(f"sqlite:///{journal}") as opened:
        Conductor(
            coordinator_of(config),
            opened,
            header=partial(header_of, config),
            config=settings_hash(config),
            record=recorder,
            on_said=lambda agents: None,
        )
    return b"".join(recorder.lines)


def coordinator_kills(kills: int, seed: int, agents: int = 12) -> dict[str, Any]:
    config = load_config(None, rounds=10 * kills, seed=seed, sets=("matching.log_candidates=false", "evaluation.curve_every=0"))
    fleet = tuple(config.agents[n % len(config.agents)].model_copy(update={"name": f"agent-{n + 1}"}) for n in range(agents))
    config = config.model_copy(update={"agents": fleet})
    with tempfile.TemporaryDirectory() as place:
        folder, settings = Path(place) / "run", Path(place) / "federation.toml"
        settings.write_text(to_toml(config))
        identities = local.provision(config, Path(place) / "identities")
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "knexa", "cpm", "serve", str(settings), "--identity", str(identities[CPM])]
        coordinator = Supervised([*command, "--listen", address, "--out", str(folder)], Path(place) / "log", folder / JOURNAL_FILE)
        folders = {agent.name: identities[agent.name] for agent in fleet}
        seen, over, found = Seen(), Event(), {}
        killer = Thread(target=kill_coordinator, args=(coordinator, kills, random.Random(seed), over, found))
        killer.start()
        asyncio.run(play(Script(folders, address, settings_hash(config), seed, (THINK_S,) * config.rounds), seen, over))
        killer.join()
        if "error" in found:
            raise RuntimeError(found["error"] + "\n" + (Path(place) / "log").read_text()[-2000:])
        coordinator.end()
        events = list(read_events(folder))
        same = replayed(config, folder / JOURNAL_FILE) == (folder / EVENTS_FILE).read_bytes()
    return {**_counts(events, seen), "record_is_replay": same, "kills": kills, "go_on_s": _spread(found["waits"])}


def _counts(events: list[dict[str, Any]], seen: Seen) -> dict[str, Any]:
    """What was acknowledged, and how often it is in the record."""
    acknowledged = {(call.agent, call.round) for call in seen.calls if call.kind == "outcome"}
    outcomes = Counter((event["student"], event["round"]) for event in events if event["kind"] == "outcome")
    rewards = Counter(event["match_id"] for event in events if event["kind"] == "reward")
    closed = max((event["round"] for event in events if event["kind"] == "update"), default=0)
    by_match = {event["match_id"]: (event["student"], event["round"]) for event in events if event["kind"] == "outcome"}
    without = [match_id for match_id, (_, round) in by_match.items() if round <= closed and rewards[match_id] != 1]
    return {
        "rounds": closed,
        "acknowledged": len(acknowledged),
        "lost": sum(outcomes[one] == 0 for one in acknowledged),
        "twice": sum(count > 1 for count in (*outcomes.values(), *rewards.values())),
        "outcomes_without_reward": len(without),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"median": 0.5, "p95": 0.95}
    return {**{name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in at.items()}, "max": round(ordered[-1], 2)}


def agent_kills(kills: int, seed: int) -> dict[str, Any]:
    local.RESTARTS = 10**6
    os.environ["PYTHONPATH"] = os.pathsep.join([*map(str, (TESTS / "equipment", TESTS / "simulation")), os.environ.get("PYTHONPATH", "")])
    drawn = random.Random(seed)
    config = load_config(None, rounds=6 * kills, seed=seed, sets=("matching.log_candidates=false", "evaluation.curve_every=0"))
    with tempfile.TemporaryDirectory() as place:
        folder, restarted = Path(place) / "up", []
        with local.LocalFederation(config, folder, WORKPLACE) as federation:
            federation.start()
            Thread(target=_kill_agents, args=(federation, kills, drawn), daemon=True).start()
            federation.watch(restarted.append, glance_s=0.05)
        run, events = read_run(folder), list(read_events(folder))
    rewards = Counter(event["match_id"] for event in events if event["kind"] == "reward")
    return {
        "kills": len(restarted),
        "rounds": run.rounds,
        "states": dict(Counter(one["state"] for one in run.participants.values())),
        "matches": len(run.exchanges),
        "rewards": len(rewards),
        "twice": sum(count > 1 for count in rewards.values()),
    }


def _kill_agents(federation: local.LocalFederation, kills: int, drawn: random.Random) -> None:
    events = federation.folder / EVENTS_FILE
    while not events.exists():
        time.sleep(0.05)
    for _ in range(kills):
        time.sleep(drawn.uniform(0.5, 2.5))
        os.kill(federation.pids()[drawn.choice([name for name in federation.pids() if name != CPM])], signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coordinator", type=int, default=200)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    floor = round(time.monotonic() - began, 3)
    found: dict[str, Any] = {"seed": arguments.seed, "python_s": floor}
    if arguments.coordinator:
        found["coordinator"] = coordinator_kills(arguments.coordinator, arguments.seed)
        print(json.dumps(found["coordinator"]), flush=True)
    if arguments.agents:
        found["agents"] = agent_kills(arguments.agents, arguments.seed)
        print(json.dumps(found["agents"]), flush=True)
    append({**row("kills"), **found})


if __name__ == "__main__":
    main()
