"""Do the protocol's invariants hold under any faults?

    python benchmarks/fault_schedules.py [--first 0] [--schedules 10000]
    python benchmarks/fault_schedules.py --replay 123        # what happened in one schedule, line by line

Plays the schedules of tests/equipment/fault_schedule.py: late, lost, doubled messages, partitions, clocks that differ, crashes of agents
and of the coordinator, forged messages. Prints how many broke an invariant, with their seeds, and appends a row.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from rows import append, row

sys.path.append(str(Path(__file__).parent.parent / "tests" / "equipment"))
from fault_schedule import FaultyFederation


def replay(seed: int) -> None:
    federation = FaultyFederation(seed)
    print(federation.faults)
    try:
        federation.run()
    except Exception:  # noqa: BLE001 - shown, whatever it is
        traceback.print_exc()
    print("\n".join(federation.script))
    print(f"{len(federation.matches)} matches, {len(federation.outcomes)} outcomes, {sum(federation.rewards.values())} rewards")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--replay", type=int)
    wanted = parser.parse_args()
    if wanted.replay is not None:
        replay(wanted.replay)
        return
    broken: dict[int, str] = {}
    happened: Counter[str] = Counter()
    matches = rewards = 0
    began, seeds = time.perf_counter(), range(wanted.first, wanted.first + wanted.schedules)
    for seed in seeds:
        federation = FaultyFederation(seed)
        try:
            federation.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding: the seed shows it again
            broken[seed] = f"{type(error).__name__}: {error}"
        happened += federation.happened
        matches += len(federation.matches)
        rewards += sum(federation.rewards.values())
    seconds = time.perf_counter() - began
    figures = {"schedules": len(seeds), "broken": len(broken), "matches": matches, "rewards": rewards, "seconds": round(seconds, 1)}
    print(f"{figures}\n{dict(happened)}")
    for seed, what in list(broken.items())[:20]:
        print(f"--replay {seed}: {what}")
    append(row("fault_schedules", first=wanted.first, **figures, happened=dict(happened), found=dict(list(broken.items())[:20])))


if __name__ == "__main__":
    main()
