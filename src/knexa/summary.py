"""``summary.json``: a run in a few numbers, for scripts. Scores are shares in [0, 1], losses nats a token, rewards unclipped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import compress
from pathlib import Path
from statistics import fmean
from typing import Any

from knexa.record import SCORES, Evaluation, Exchange, RunRecord, read_run

SUMMARY_FILE = "summary.json"

Scores = dict[str, float | None]


def summarise(folder: Path) -> dict[str, Any]:
    """Start and end of every agent and their mean, and every measured exchange; null where the run has not got that far."""
    return summary_of(read_run(folder))


def summary_of(run: RunRecord) -> dict[str, Any]:
    start, end = ([_scores(run.at(agent, stage)) for agent in run.agents] for stage in ("start", "end"))
    honest = [agent in run.honest for agent in run.agents]
    return {
        "strategy": run.strategy,
        "seed": run.seed,
        "rounds": run.rounds,
        "seconds": run.seconds,
        "peak_rss_mb": run.peak_rss_mb,
        "mean": {"start": _mean(start), "end": _mean(end)},
        "honest": {stage: _mean(compress(scores, honest)) for stage, scores in (("start", start), ("end", end))},
        "agents": [{"agent": agent, "start": first, "end": last} for agent, first, last in zip(run.agents, start, end, strict=True)],
        "exchanges": [_exchange(exchange) for exchange in run.exchanges if exchange.accepted is not None],
    }


def write_summary(folder: Path) -> dict[str, Any]:
    """Write ``summary.json`` into the run folder (at once, never half) and return it."""
    summary = summarise(folder)
    draft = folder / (SUMMARY_FILE + ".draft")
    draft.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(draft, folder / SUMMARY_FILE)
    return summary


def _scores(evaluation: Evaluation | None) -> Scores:
    if evaluation is None:
        return dict.fromkeys((*SCORES, "loss"))
    return {name: evaluation.scores.get(name) for name in SCORES} | {"loss": evaluation.loss}


def _mean(rows: Iterable[Scores]) -> Scores:
    """Mean over all agents; null as soon as one agent has no value, so that no agent drops out of a mean unseen."""
    columns: dict[str, list[float | None]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {
        name: fmean(known) if len(known := [v for v in values if v is not None]) == len(values) else None
        for name, values in columns.items()
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    names = ("round", "teacher", "student", "protocol", "reward", "loss_before", "loss_after", "bytes")
    return {name: getattr(exchange, name) for name in names}
