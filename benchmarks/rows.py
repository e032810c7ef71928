"""Results as rows that describe themselves: what ran, where, when, on which commit, and what came out."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knexa.study.rows import source_commit

RESULTS = Path(__file__).parent / "results"


def row(benchmark: str, **figures: Any) -> dict[str, Any]:
    """``figures`` (seed and budget among them) under their own names, plus benchmark, date, commit and machine."""
    machine = {"cpu": _cpu_model(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version()}
    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": source_commit(),
        "machine": machine,
        **figures,
    }


def append(result: dict[str, Any]) -> Path:
    """Add a row to ``results/<benchmark>.jsonl``; the file's path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{result['benchmark']}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(result) + "\n")
    return path


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
