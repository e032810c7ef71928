"""``knexa replay``: the estimates, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from knexa.study.replay import Replay, replay
from knexa.study.statistics import Interval


def show_replay(folders: Sequence[Path], matchmaker: str, sets: Sequence[str], *, as_json: bool) -> None:
    found = replay(folders, matchmaker, sets)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    console = Console()
    console.print(_table(found))
    console.print(
        f"{found.rounds} rounds, {found.exchanges} logged exchanges, of which {found.effective:.1f} count for these choices. "
        f"Each round is judged in the state that the log was in.",
        highlight=False,
    )


def _table(found: Replay) -> Table:
    table = Table(title=f"Reward of one exchange, if {found.matchmaker} had chosen", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("estimate", no_wrap=True)
    table.add_column("milli-nats a token, 95 % interval", justify="right", no_wrap=True)
    for name, interval in (
        ("as logged", found.logged),
        ("inverse propensity", found.inverse_propensity),
        ("doubly robust", found.doubly_robust),
        ("doubly robust - logged", found.difference),
    ):
        table.add_row(name, _cell(interval))
    return table


def _cell(interval: Interval) -> str:
    return f"{1000 * interval.mean:+.2f}  [{1000 * interval.low:+.2f}, {1000 * interval.high:+.2f}]"
