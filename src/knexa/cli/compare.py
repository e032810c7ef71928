"""``knexa compare``: the plan of a comparison, and its tables."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from knexa.cli.display import show_runs
from knexa.cli.run import preflight, show_notes
from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError
from knexa.field_rules import nearest
from knexa.report import write_report
from knexa.simulation.progress import OnProgress
from knexa.strategies import STRATEGIES
from knexa.study.cell import Cell
from knexa.study.compare import compare
from knexa.study.tables import rich_tables
from knexa.study.verdicts import verdicts


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of ``knexa compare`` as the user gave them."""

    strategies: str
    seeds: str
    file: Path | None
    preset: str | None
    rounds: int | None
    sets: tuple[str, ...]
    out: Path
    baseline: str
    jobs: int = 1
    cache: bool = True


def run_comparison(plan: Plan, *, as_json: bool) -> None:
    configs = resolve(plan)
    show_notes(note for config in configs for note in preflight(config))
    screen = Console(stderr=True)
    with show_runs(screen) as begin:

        def announce(number: int, count: int, cell: Cell) -> AbstractContextManager[OnProgress]:
            return begin(f"[{number}/{count}] {cell}: ")

        def tell(sentence: str) -> None:
            screen.print(f"note: {sentence}", highlight=False, soft_wrap=True)

        rows = compare(configs, plan.out, plan.baseline, announce, jobs=plan.jobs, cache=plan.cache, tell=tell)
    page = write_report([plan.out / config.strategy / f"seed-{config.seed}" for config in configs])
    if as_json:
        print(json.dumps({"rows": rows, "folder": str(plan.out), "report": str(page)}))
        return
    console = Console()
    for table in rich_tables(rows, plan.baseline, console.width):
        console.print(table)
    for verdict in verdicts(rows, plan.baseline):
        console.print(verdict, highlight=False, soft_wrap=True)
    console.print(f"Rows: {plan.out / 'rows.csv'}; report: {page}", highlight=False, soft_wrap=True)


def resolve(plan: Plan) -> list[FederationConfig]:
    """Every strategy at every seed, strategies in the order given. Raises ConfigurationError."""
    names = _names("--strategies", plan.strategies)
    _names("--baseline", plan.baseline)
    return [
        load_config(plan.file, preset=plan.preset, strategy=name, rounds=plan.rounds, seed=seed, sets=plan.sets)
        for name in names
        for seed in seed_range(plan.seeds)
    ]


def seed_range(text: str) -> list[int]:
    """``"0-4"``, ``"1,3,8"`` or both mixed, ascending and without repetition. Raises ConfigurationError."""
    seeds: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last - first >= 1000:
            raise ConfigurationError(
                f"--seeds: found {text!r}; allowed: whole numbers from 0 and rising ranges of at most 1000, such as 0-4 or 0,1,7"
            )
        seeds.update(range(first, last + 1))
    return sorted(seeds)


def _names(option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in STRATEGIES:
            raise ConfigurationError(f"{option}: found {name!r}; allowed: {', '.join(STRATEGIES)}{nearest(name, tuple(STRATEGIES))}")
    return list(dict.fromkeys(names))
