"""Does any input from outside make a decoder do anything but decode or refuse?

    python benchmarks/fuzz_decoders.py [--inputs 1000000] [--seed 0]
    python benchmarks/fuzz_decoders.py --replay 0:1234 --decoder ledger     # one input again, as hex

Inputs are spoiled valid ones (tests/equipment/decoders.py). Fast decoders get twenty times as many as those that read files. Each input
follows from seed and index. Prints a line a decoder: taken, refused, errors of another kind with an index that shows one; appends a row.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rows import append, row

TESTS = Path(__file__).parent.parent / "tests"
sys.path += [str(TESTS / "equipment"), str(TESTS / "simulation")]
from decoders import Decoder, decoders, spoiled  # noqa: E402

_SLOW_SHARE = 20


def input_of(decoder: Decoder, name: str, seed: int, index: int) -> bytes:
    rng = random.Random(f"{seed}:{index}:{name}")
    return spoiled(rng.choice(decoder.originals), decoder.originals, rng)


def fuzzed(decoder: Decoder, name: str, seed: int, inputs: int) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    found: dict[str, int] = {}
    began = time.perf_counter()
    for index in range(inputs):
        try:
            decoder.decode(input_of(decoder, name, seed, index))
            counts["taken"] += 1
        except decoder.refusal:
            counts["refused"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            counts["other"] += 1
            found.setdefault(f"{type(error).__name__}: {str(error)[:100]}", index)
    seconds = time.perf_counter() - began
    return {
        "inputs": inputs,
        **{key: counts[key] for key in ("taken", "refused", "other")},
        "per_second": round(inputs / seconds),
        "found": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", metavar="SEED:INDEX")
    parser.add_argument("--decoder")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        every = decoders(Path(folder))
        if wanted.replay is not None:
            seed, index = map(int, wanted.replay.split(":"))
            data = input_of(every[wanted.decoder], wanted.decoder, seed, index)
            print(data.hex())
            print(every[wanted.decoder].decode(data))
            return
        weight = sum(1 if decoder.slow else _SLOW_SHARE for decoder in every.values())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures = {}
        for name, decoder in every.items():
            figures[name] = fuzzed(decoder, name, wanted.seed, wanted.inputs * (1 if decoder.slow else _SLOW_SHARE) // weight + 1)
            print(f"{name:20} {figures[name]}", flush=True)
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    totals = {key: sum(one[key] for one in figures.values()) for key in ("inputs", "taken", "refused", "other")}
    print(f"{totals}, memory grew by {growth:.0f} MiB")
    append(row("fuzz_decoders", seed=wanted.seed, **totals, growth_mib=round(growth, 1), by_decoder=figures))


if __name__ == "__main__":
    main()
