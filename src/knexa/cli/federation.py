"""``knexa cpm serve``, ``knexa agent join``, ``knexa up``: a federation of real processes."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from knexa.config import load_config
from knexa.config.checks import check
from knexa.errors import ConfigurationError, Incomplete, Interrupted, KnexaError
from knexa.events import EVENTS_FILE, read_events
from knexa.layers import Layer
from knexa.record import read_run
from knexa.report import final_table, write_report
from knexa.report.charts import job_seconds
from knexa.report.tables import duration
from knexa.summary import write_summary

if TYPE_CHECKING:
    from knexa.service.wire.route import RelayAt


def say(line: str) -> None:
    """One line for whoever watches a service, with the time."""
    # What others say is quoted in some lines: nothing of it may move a cursor, or look like a line of its own.
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line[:2000])
    print(f"{time.strftime('%H:%M:%S')} {shown}", file=sys.stderr, flush=True)


def serve_cpm(
    file: str, identity: Path, listen: str, out: Path, start_after: float | None, metrics: str | None, journal: str | None
) -> None:
    from knexa.service.cpm.process import CpmPlan, serve

    ended = serve(CpmPlan(load_config(file), out, identity, listen, start_after, metrics, journal), say)
    if not ended:
        return say("stopped; the same command goes on where this ended")
    say(f"the federation is over; {out / EVENTS_FILE} has its record")
    if lost := [f"{name} is {state['state']}" for name, state in read_run(out).participants.items() if state["state"] != "finished"]:
        raise Incomplete(f"the federation ended without the final scores of everybody: {', '.join(lost)}")


@dataclass(frozen=True, slots=True)
class Joining:
    """The options of ``knexa agent join`` as the user gave them."""

    file: str
    identity: Path
    cpm: str
    operator: str
    folder: Path
    listen: str | None
    reached_at: str | None
    relay: str | None
    relay_operator: str | None
    policy: Path | None
    workplace: str | None


def join_federation(wanted: Joining) -> None:
    from knexa.cli.run import show_notes
    from knexa.learning.packaged import terms_of_use
    from knexa.service.agent.process import AgentPlan, join
    from knexa.service.identity import Credentials

    relay = relay_at(wanted.relay, wanted.relay_operator)
    config, name = load_config(wanted.file), Credentials(wanted.identity).identity.name
    show_notes(terms_of_use(agent.backbone for agent in config.agents if agent.name == name))
    plan = AgentPlan(
        config,
        wanted.folder,
        wanted.identity,
        wanted.cpm,
        wanted.operator,
        listen=wanted.listen,
        reached_at=wanted.reached_at,
        relay=relay,
        policy=wanted.policy,
    )
    join(plan if wanted.workplace is None else replace(plan, workplace=wanted.workplace), say)
    say(f"the federation is over; the adapter is in {wanted.folder / 'adapter'}")


def relay_at(address: str | None, operator: str | None) -> RelayAt | None:
    """From ``--relay`` and ``--relay-operator``; one without the other is a ConfigurationError."""
    from knexa.service.wire.route import RelayAt

    if (address is None) != (operator is None):
        raise ConfigurationError("--relay HOST:PORT and --relay-operator ORGANISATION go together: which relay, and who runs it")
    return None if address is None else RelayAt.parse(f"{operator}@{address}")


def serve_relay_process(identity: Path, listen: str) -> None:
    from knexa.service.relay.process import serve_relay

    serve_relay(identity, listen, say)


@dataclass(frozen=True, slots=True)
class Examination:
    """The options of ``knexa doctor`` as the user gave them."""

    file: str
    identity: Path
    listen: str | None
    reached_at: str | None
    folder: Path
    cpm: str | None
    operator: str | None
    relay: str | None
    relay_operator: str | None
    workplace: str | None


def show_doctor(wanted: Examination, *, as_json: bool) -> None:
    """Raises KnexaError if a check failed."""
    from knexa.service.doctor import Patient, examine

    relay = relay_at(wanted.relay, wanted.relay_operator)
    patient = Patient(
        load_config(wanted.file),
        wanted.identity,
        wanted.folder,
        wanted.listen,
        wanted.cpm,
        wanted.operator,
        relay,
        wanted.reached_at,
    )
    findings = []
    console = Console()
    for finding in examine(patient if wanted.workplace is None else replace(patient, workplace=wanted.workplace)):
        findings.append(finding)
        if not as_json:
            sign = "[green]fine[/green]" if finding.fine else "[red]NOT FINE[/red]"
            console.print(f"{finding.check}: {sign}, {escape(finding.what)}", highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps({"checks": [asdict(finding) for finding in findings], "fine": all(finding.fine for finding in findings)}))
    if bad := [finding.check for finding in findings if not finding.fine]:
        raise KnexaError(f"not ready: {', '.join(bad)}; what to do stands with each")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of ``knexa up`` as the user gave them."""

    file: str | None
    preset: str | None
    strategy: str | None
    rounds: int | None
    seed: int | None
    agents: int | None
    sets: tuple[str, ...]
    out: Path | None
    hidden: int
    workplace: str | None


def bring_up(wanted: Wanted, *, as_json: bool) -> None:
    from knexa.cli.run import cut_notes, show_notes
    from knexa.cli.stopping import stopped_as_by_ctrl_c
    from knexa.learning.packaged import terms_of_use
    from knexa.service.local import LocalFederation

    config = load_config(
        wanted.file, preset=wanted.preset, strategy=wanted.strategy, rounds=wanted.rounds, seed=wanted.seed, sets=wanted.sets
    )  # fmt: skip
    if wanted.agents is not None:
        if not 2 <= wanted.agents <= len(config.agents):
            raise ConfigurationError(
                f"--agents: found {wanted.agents}; allowed: 2 to {len(config.agents)}, the agents of the configuration"
            )
        config = config.model_copy(update={"agents": config.agents[: wanted.agents]})
        check(config, [Layer(f"--agents {wanted.agents}: key", config.model_dump())])  # who is kept may name who is not
    if wanted.hidden > len(config.agents):
        raise ConfigurationError(f"--hidden: found {wanted.hidden}; allowed: 0 to {len(config.agents)}, the agents of this federation")
    show_notes(terms_of_use(agent.backbone for agent in config.agents))
    folder = wanted.out or _free_folder()
    screen = Console(stderr=True)
    # Its processes are in sessions of their own: a signal that ended this one alone would leave them all behind.
    with stopped_as_by_ctrl_c(), LocalFederation(config, folder, wanted.workplace, hidden=wanted.hidden) as federation:
        over = Event()
        watcher = Thread(target=_show_progress, args=(folder, config.rounds, screen, over), daemon=True)
        try:
            federation.start()
            screen.print(f"{len(config.agents)} agents and their coordinator are starting; logs: {folder / 'logs'}", highlight=False)
            watcher.start()
            federation.watch(lambda name: screen.print(f"{name} died and is started again", highlight=False))
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; what was done is in {folder}") from None
        finally:
            over.set()
    federation.gather_timings()
    summary = write_summary(folder)
    page = write_report([folder])
    show_notes(cut_notes(read_run(folder)))
    lost = [name for name, state in read_run(folder).participants.items() if state["state"] != "finished"]
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page), "lost": lost}))
    else:
        console = Console()
        console.print(final_table(summary, console.width))
        run = read_run(folder)
        busiest = ", ".join(f"{job} {duration(seconds)}" for job, seconds in list(job_seconds(run).items())[:5])
        console.print(f"Time: {duration(run.seconds or 0.0)}; of work, summed over agents: {busiest}", highlight=False, soft_wrap=True)
        if run.paths:
            console.print(f"Paths of exchanges: {run.paths}", highlight=False, soft_wrap=True)
        console.print(f"Report: {page}", highlight=False, soft_wrap=True)
    if lost:
        raise Incomplete(f"{', '.join(lost)} did not report final scores; see {folder / 'logs'}")


def _show_progress(folder: Path, rounds: int, screen: Console, over: Event) -> None:
    """A line for every round that closes, from the record that the coordinator writes."""
    shown = 0
    while not over.wait(0.5):
        closed = [event["round"] for event in read_events(folder) if event["kind"] == "update"] if (folder / EVENTS_FILE).is_file() else []
        for round in closed[shown:]:
            screen.print(f"round {round} of {rounds} is closed", highlight=False)
        shown = max(shown, len(closed))  # a coordinator that was restarted writes the record anew


def _free_folder() -> Path:
    number = 1
    while Path(f"runs/up-{number}").exists():
        number += 1
    return Path(f"runs/up-{number}")
