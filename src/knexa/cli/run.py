"""``knexa run``: resolve, refuse early, run, and show what came out."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from knexa.cli.display import show_progress
from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError, ModelError
from knexa.events import EVENTS_FILE
from knexa.learning.packaged import terms_of_use
from knexa.matching.matchmakers import matchmaker_of
from knexa.participant.data import federation_data
from knexa.record import RunRecord, read_run
from knexa.report import final_table, write_report
from knexa.report.charts import job_seconds
from knexa.report.tables import duration
from knexa.simulation.federation import Federation
from knexa.simulation.progress import OnProgress
from knexa.simulation.run_folder import read_config
from knexa.summary import write_summary

#: What may change when a run is resumed: how fast it goes, and how much memory it takes.
_WORKERS = ("engine.kind", "engine.workers")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of ``knexa run`` as the user gave them."""

    file: str | None
    preset: str | None
    strategy: str | None
    rounds: int | None
    seed: int | None
    sets: tuple[str, ...]
    out: Path | None
    resume: Path | None


def run_federation(wanted: Wanted, *, as_json: bool) -> None:
    screen = Console(stderr=True)
    with show_progress(screen) as on_progress:
        folder = _resumed(wanted, on_progress) if wanted.resume else _begun(wanted, on_progress)
    summary = write_summary(folder)
    page = write_report([folder])
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
        return
    console = Console()
    console.print(final_table(summary, console.width))
    run = read_run(folder)
    show_notes(cut_notes(run))
    busiest = ", ".join(f"{job} {duration(seconds)}" for job, seconds in list(job_seconds(run).items())[:5])
    console.print(f"Time: {duration(run.seconds or 0.0)}; of work, summed over workers: {busiest}", highlight=False, soft_wrap=True)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def preflight(config: FederationConfig) -> tuple[str, ...]:
    """Find what types cannot say before anything is written: problem files, data that cannot be dealt out, matchmakers.

    What the user should know of models and data, in sentences. Raises ConfigurationError.
    """
    data = federation_data(config)
    terms = terms_of_use(agent.backbone for agent in config.agents)
    matchmaker_of(config, trial=lambda matches: [0.0] * len(matches))
    return (*terms, *data.notes, *(note for private in data.private.values() for note in private.notes))


def cut_notes(run: RunRecord) -> list[str]:
    """One sentence for each agent some of whose texts were too long, as its last evaluation counted them."""
    counts = {evaluation.agent: evaluation.cut for evaluation in run.evaluations if evaluation.stage == "end"}
    longest = run.config["model"]["longest"]
    return [
        f'agent "{agent}": {count} texts (its own, the probe, the test problems) have more than model.longest = {longest} tokens, and were '
        "learned and judged in part"
        for agent, count in counts.items()
        if count
    ]


def show_notes(notes: Iterable[str]) -> None:
    """Each sentence once, on stderr."""
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)


def start_run(config: FederationConfig, out: Path | None, on_progress: OnProgress | None) -> Path:
    """Run ``config``; a run that a wrong setting or model stopped before its first event leaves no folder behind."""
    show_notes(preflight(config))
    federation = Federation.from_config(config)
    folder = out or federation.free_folder()
    existed = folder.exists()
    try:
        return federation.run(folder, on_progress).folder
    except (ConfigurationError, ModelError):
        events = folder / EVENTS_FILE
        if not existed and events.is_file() and events.stat().st_size == 0:
            shutil.rmtree(folder)
        raise


def _begun(wanted: Wanted, on_progress: OnProgress) -> Path:
    config = load_config(
        wanted.file, preset=wanted.preset, strategy=wanted.strategy, rounds=wanted.rounds, seed=wanted.seed, sets=wanted.sets
    )
    return start_run(config, wanted.out, on_progress)


def _resumed(wanted: Wanted, on_progress: OnProgress) -> Path:
    assert wanted.resume is not None
    given: dict[str, object] = {"FILE": wanted.file, "--preset": wanted.preset, "--strategy": wanted.strategy, "--rounds": wanted.rounds}
    given |= {"--seed": wanted.seed, "--out": wanted.out}
    given |= {f"--set {one}": one for one in wanted.sets if one.partition("=")[0] not in _WORKERS}
    extra = [name for name, value in given.items() if value is not None]
    if extra:
        allowed = f"alone, or with {' and '.join(f'--set {key}' for key in _WORKERS)}: a run goes on with its own settings"
        raise ConfigurationError(f"--resume: found together with {', '.join(extra)}; allowed: {allowed}")
    before = read_config(wanted.resume).engine
    sets = [f"engine.kind={before.kind}", f"engine.workers={before.workers}", *wanted.sets]
    return Federation.resume(wanted.resume, engine=load_config(sets=sets).engine).run(on_progress=on_progress).folder
