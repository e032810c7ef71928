"""Does our CodeBLEU equal the package ``codebleu`` 0.7.0, and how fast is it?

    python benchmarks/codebleu.py --python ENVIRONMENT/bin/python [--pairs 1000] [--seed 0] [--fixture tests/evaluation/codebleu_pairs.json]

ENVIRONMENT is made as ``codebleu_package.py`` says. The package is asked 17 times: once with sets in the order of insertion, which all
pairs have to equal, and under 16 hash seeds as it is. Where these agree with one another, ours has to agree with them; where
they do not, the package has no single answer, and the row says for how many pairs and how far it differs from itself. Appends a row to
results/. ``--fixture`` also writes the pairs of our own code, with the package's components, that the tests hold on to.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codebleu_pairs import Pair, pairs
from knexa.evaluation.codebleu import codebleu
from rows import append, row

ORACLE = Path(__file__).with_name("codebleu_package.py")
COMPONENTS = ("ngram_match", "weighted_ngram_match", "syntax_match", "data_flow_match", "score")
HASH_SEEDS = range(16)
TOLERANCE = 1e-9
FIXTURE_PAIRS = 24


def package_scores(python: Path, asked: Sequence[Pair], *flags: str, hash_seed: int = 0) -> tuple[list[list[float]], float]:
    """The package's :data:`COMPONENTS` of every pair, and the seconds that it took for all."""
    lines = "".join(json.dumps({"reference": pair.reference, "candidate": pair.candidate}) + "\n" for pair in asked)
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run([python, "-P", ORACLE, *flags], input=lines, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [found[:-1] for found in rows], sum(found[-1] for found in rows)


def our_scores(asked: Sequence[Pair]) -> tuple[list[list[float]], float]:
    began = time.perf_counter()
    found = [codebleu(pair.reference, pair.candidate) for pair in asked]
    seconds = time.perf_counter() - began
    return [[getattr(one, name) for name in COMPONENTS] for one in found], seconds


def differences(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> list[float]:
    """The largest of each pair's components."""
    return [max(abs(a - b) for a, b in zip(one, other, strict=True)) for one, other in zip(ours, theirs, strict=True)]


def measure(python: Path, count: int, seed: int) -> dict[str, Any]:
    asked = pairs(count, seed)
    ours, our_seconds = our_scores(asked)
    ordered, _ = package_scores(python, asked, "--in-order")
    plain = [package_scores(python, asked, hash_seed=one) for one in HASH_SEEDS]
    spread = [max(of_pair) for of_pair in zip(*(differences(plain[0][0], scores) for scores, _ in plain), strict=True)]
    agreed = [distance for distance, own in zip(differences(ours, plain[0][0]), spread, strict=True) if own <= TOLERANCE]
    return row(
        "codebleu",
        seed=seed,
        pairs=len(asked),
        load="bank and HumanEval solutions, other and spoilt texts, specimens",
        largest_difference=max(differences(ours, ordered)),
        pairs_on_which_the_package_agrees_with_itself=len(agreed),
        largest_difference_there=max(agreed),
        package_from_itself=max(spread),
        ours_pairs_per_second=round(len(asked) / our_seconds),
        package_pairs_per_second=round(len(asked) / plain[0][1]),
    )


def write_fixture(python: Path, path: Path, seed: int) -> None:
    asked = pairs(FIXTURE_PAIRS, seed, ours_only=True)
    scores, _ = package_scores(python, asked, "--in-order")
    content = [
        {"reference": pair.reference, "candidate": pair.candidate, **dict(zip(COMPONENTS, found, strict=True))}
        for pair, found in zip(asked, scores, strict=True)
    ]
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fixture", type=Path)
    asked = parser.parse_args()
    if asked.fixture is not None:
        write_fixture(asked.python, asked.fixture, asked.seed)
    result = measure(asked.python, asked.pairs, asked.seed)
    print(result)
    if max(result["largest_difference"], result["largest_difference_there"]) > TOLERANCE:
        raise SystemExit("ours is not the package's CodeBLEU: nothing was recorded")
    print("appended to", append(result))


if __name__ == "__main__":
    main()
