"""Results as rows that describe themselves: one a run, with strategy, seed, commit and machine; and tables out of them."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import knexa
from knexa.machine import machine_name
from knexa.record import SCORES, Evaluation, RunRecord
from knexa.summary import summary_of

Row = Mapping[str, Any]

ORIGIN_FILE = "origin.json"

SOURCE = Path(knexa.__file__).parent


def row_of(run: RunRecord) -> dict[str, Any]:
    """Final scores are shares in [0, 1], loss nats a token, ``memory`` the mean number of verified texts an agent holds; all of them means

    over agents that are not hostile (:attr:`~knexa.record.RunRecord.honest`), which is everybody unless ``faults`` says otherwise.
    ``payload``: share of answers that carry a backdoor's payload; None where nobody plants one.
    ``reused``: jobs whose results were known from other runs, which ``seconds`` therefore leaves out.
    ``scored``, ``server_steps``, ``server_texts``: what a baseline's server takes beyond the common budget.
    """
    end = summary_of(run)["honest"]["end"]
    ends = [one for one in run.evaluations if one.stage == "end" and one.agent in run.honest]
    carried = [one.payload for one in ends if one.payload is not None]
    return {
        "strategy": run.strategy,
        "seed": run.seed,
        "rounds": run.rounds,
        **read_origin(run.folder),
        **{name: end[name] for name in (*SCORES, "loss")},
        "seconds": run.seconds,
        "reused": sum(job["worker"] is None for job in run.jobs),
        "bytes": run.sent,
        **{key: sum(one[key] for one in run.central) for key in ("scored", "server_steps", "server_texts")},
        "exchanges": sum(one.accepted is not None for one in run.exchanges),
        "memory": sum(one.memory for one in ends) / len(ends) if ends else None,
        "payload": sum(carried) / len(carried) if carried else None,
        "start_hash": run.start_hash,
        "by_problem": _by_problem(ends),
    }


def _by_problem(ends: Sequence[Evaluation]) -> list[float]:
    """Share of right answers to each test problem, mean over agents: what differences are resampled over."""
    shares = np.array([[count / one.samples for count in one.correct] for one in ends], dtype=np.float64)
    return [round(float(share), 6) for share in shares.mean(axis=0)] if shares.size else []


def write_rows(rows: Sequence[Row], folder: Path) -> None:
    """``rows.csv`` and ``rows.jsonl`` with the same content, but that a table has no room for ``by_problem``."""
    lines = [json.dumps(row, allow_nan=False) + "\n" for row in rows]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[name for name in rows[0] if name != "by_problem"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def origin_here() -> dict[str, str]:
    """Which source runs, and where. To be asked when a run begins: at its end the files may be others than those that were loaded."""
    return {"commit": source_commit(), "machine": machine_name()}


def add_origin(folder: Path, origin: Mapping[str, str]) -> None:
    """Note ``origin`` in a run folder, after those of earlier parts of the run: it cannot be told afterwards."""
    before = _origins(folder)
    parts = {key: list(dict.fromkeys([*before.get(key, []), value])) for key, value in origin.items()}
    (folder / ORIGIN_FILE).write_text(json.dumps(parts) + "\n", encoding="utf-8")


def read_origin(folder: Path) -> dict[str, str]:
    """``commit`` and ``machine`` of a run, "A, then B" where it was resumed elsewhere; "unknown" for a run that nobody noted."""
    origins = _origins(folder)
    return {key: ", then ".join(origins.get(key, ["unknown"])) for key in ("commit", "machine")}


def _origins(folder: Path) -> dict[str, list[str]]:
    path = folder / ORIGIN_FILE
    origins: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return origins


def source_commit(source: Path = SOURCE) -> str:
    """Commit of the source that runs, with ``+changes`` if tracked files in it differ; the version where there is no checkout.

    What else differs in the checkout, such as rows that a measurement has just appended, is no change of what runs.
    """
    try:
        commit = _git(source, "rev-parse", "--short=12", "HEAD")
        changed = _git(source, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return f"knexa {knexa.__version__}"
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
