"""How many checks a minute does the sandbox do, and what does isolation cost?

    python benchmarks/sandbox_throughput.py [--repeats 3]

The load is every canonical solution of HumanEval. The floor is the least that any harness does for it: ``compile`` and
``exec`` of program and test, and the test's run, in one process without any isolation. Floor and sandbox take turns in
one run, so that both see the same machine; the median of the repeats counts. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from knexa.evaluation import Check, Sandbox, Verdict
from knexa.evaluation.problem_files import load_human_eval
from rows import append, row


def floor(checks: Sequence[Check]) -> None:
    for check in checks:
        namespace: dict[str, Any] = {}
        exec(compile(check.program, "<program>", "exec"), namespace)
        exec(compile(check.test, "<test>", "exec"), namespace)
        namespace["check"](namespace[check.entry_point])


def per_minute(work: Callable[[], object], checks: int) -> float:
    began = time.perf_counter()
    work()
    return 60 * checks / (time.perf_counter() - began)


def all_passed(sandbox: Sandbox, checks: Sequence[Check]) -> None:
    failed = [check.entry_point for check, verdict in zip(checks, sandbox.run(checks), strict=True) if verdict is not Verdict.PASSED]
    if failed:
        raise SystemExit(f"canonical solutions that did not pass, so nothing was measured: {', '.join(failed)}")


def measure(backend: str, repeats: int) -> dict[str, Any]:
    checks = [Check.of(problem, problem.solution) for problem in load_human_eval()]
    figures: dict[str, list[float]] = {"floor": [], "workers_1": [], "workers_2": []}
    with Sandbox(backend, workers=1) as one, Sandbox(backend, workers=2) as two:  # type: ignore[arg-type]
        for _ in range(repeats):
            figures["floor"].append(per_minute(lambda: floor(checks), len(checks)))
            figures["workers_1"].append(per_minute(lambda: all_passed(one, checks), len(checks)))
            figures["workers_2"].append(per_minute(lambda: all_passed(two, checks), len(checks)))
        name = one.backend
    medians = {f"{key}_checks_per_minute": round(statistics.median(values)) for key, values in figures.items()}
    return row("sandbox_throughput", backend=name, load="HumanEval, canonical solutions", seed=None, repeats=repeats, **medians)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    for backend in ("bubblewrap", "landlock"):
        result = measure(backend, repeats)
        print(result)
        print("appended to", append(result))


if __name__ == "__main__":
    main()
