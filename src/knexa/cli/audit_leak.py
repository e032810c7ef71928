"""``knexa audit leak``: the figures of :mod:`knexa.study.leak`, for people and for scripts."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from knexa.study.leak.audit import CANDIDATES, HOPS, LeakReport, audit_leak
from knexa.study.statistics import Interval


def show_leak(folder: Path, *, as_json: bool) -> None:
    """Raises RunFolderError for a run that has not come to its end."""
    err = Console(stderr=True)
    report = audit_leak(folder, lambda line: err.print(f"audit: {line}", highlight=False) if not as_json else None)
    if as_json:
        print(json.dumps({**asdict(report), "folder": str(report.folder)}))
        return
    _print(Console(), report)


def _print(console: Console, report: LeakReport) -> None:
    say = console.print
    say(f"{report.agents} agents; {report.left:,} texts left, {report.withheld:,} were kept back by guardrails", highlight=False)
    if report.canaries:
        title = "Canaries: found verbatim in what left, one and two hops away; exposure of models in bits, 1.4 by chance, "
        title += f"{math.log2(CANDIDATES):.0f} at most"
        table = _table(title, "times", "planted", "1 hop", "2 hops", "bits, owner", "bits, 1 hop", "bits, 2 hops")
        for row in report.canaries:
            found = (f"{count}/{chances}" for count, chances in row.verbatim.values())
            table.add_row(str(row.repeats), str(row.canaries), *found, *(_interval(row.exposure[hop], 1) for hop in HOPS))
        say(table)
    else:
        say("No canaries were planted; run with --set data.canaries=17 for their part of the audit.", highlight=False)
    table = _table("Texts that hold a run of the owner's private data", "tokens in a row", "hop", "texts", "holding", "share, 95 %")
    for one in report.overlap:
        share = f"{one.share.mean:.2%} ({one.share.low:.2%} to {one.share.high:.2%})"
        table.add_row(str(one.length), one.hop, f"{one.texts:,}", f"{one.holding:,}", share)
    say(table)
    table = _table("Membership inference: AUC, .5 by chance", "attack", "hop", "AUC, 95 %")
    for attempt in report.membership:
        table.add_row(attempt.attack, attempt.hop, _interval(attempt.auc, 3))
    say(table)
    say(
        "What these do not cover: attacks that shape what is taught, many federations put together, paraphrases, adapters that are sent "
        "whole (protocol adapter). Near chance means that these attacks found nothing.",
        soft_wrap=True,
        highlight=False,
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in ("attack", "hop") else "right", no_wrap=True)
    return table


def _interval(value: Interval | None, places: int) -> str:
    return "none" if value is None else f"{value.mean:.{places}f} ({value.low:.{places}f}-{value.high:.{places}f})"
