"""How long after its limit does a program end that takes all it can, and does anything of it stay?

    python benchmarks/sandbox_endings.py [--repeats 5]

Runs the programs of tests/equipment/sandbox_hogs.py one after the other in each backend, with half a second and 64 MiB each; counts
seconds from handing the check over to its verdict, and processes that are left. Says which one took longest, and appends a row.
The two that nap between bits of work are counted apart: the clock on the wall ends them, at ten times their limit at the latest.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import Check, Sandbox
from rows import append, row

sys.path.append(str(Path(__file__).parent.parent / "tests" / "equipment"))
from process_tree import descendants
from sandbox_hogs import HOGS, NAPPERS

TIMEOUT_S = 0.5
NOTHING = Check("def probe(): return 1", "def check(candidate): assert candidate() == 1", "probe")


def endings(sandbox: Sandbox, programs: dict[str, str], repeats: int) -> tuple[dict[str, float], int]:
    """Longest seconds to a verdict for each program, and how many processes were left behind in all."""
    longest, left = dict.fromkeys(programs, 0.0), 0
    sandbox.run([NOTHING])
    for _ in range(repeats):
        for name, program in programs.items():
            before = descendants(os.getpid())
            began = time.perf_counter()
            sandbox.run([Check(program, "def check(candidate): candidate()", "probe")])
            longest[name] = max(longest[name], time.perf_counter() - began)
            left += len(set(descendants(os.getpid())) - set(before))
            sandbox.run([NOTHING])
    return longest, left


def measure(backend: str, repeats: int) -> dict[str, object]:
    with Sandbox(backend, timeout_s=TIMEOUT_S, memory_mb=64) as sandbox:
        hogs, left = endings(sandbox, {name: program for name, (program, _) in HOGS.items()}, repeats)
        napping, stayed = endings(sandbox, NAPPERS, repeats)
    last = max(hogs, key=lambda name: hogs[name])
    late = sum(seconds > TIMEOUT_S + 1 for seconds in hogs.values())
    return {
        "programs": len(hogs),
        "longest_s": round(hogs[last], 2),
        "longest": last,
        "later_than_limit_and_1_s": late,
        "napping_s": {name: round(seconds, 2) for name, seconds in napping.items()},
        "processes_left": left + stayed,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    wanted = parser.parse_args()
    for backend in ("bubblewrap", "landlock"):
        try:
            figures = measure(backend, wanted.repeats)
        except SandboxError as error:
            print(f"{backend}: {error}")
            continue
        print(backend, figures, flush=True)
        append(row("sandbox_endings", seed=0, backend=backend, timeout_s=TIMEOUT_S, repeats=wanted.repeats, user=os.getuid(), **figures))
