"""How close does `optimal` pairing come to the exact maximum-weight matching, and what does it cost beside an exact solver?

    python benchmarks/pairing_quality.py [--instances 1000]

Instances have 8 to 200 agents and scores of four kinds: independent uniform and normal, a teacher's plus a student's number with
a little noise (what the `concat` context gives), and products of 4 hidden numbers. The exact solver is rustworkx's blossom
algorithm on scores rounded to a millionth of the largest; it is timed without building its graph. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import rustworkx

from knexa.matching import disjoint_pairs
from knexa.randomness import stream
from rows import append, row

Scores = np.ndarray[Any, np.dtype[np.float64]]

KINDS: dict[str, Callable[[np.random.Generator, int], Scores]] = {
    "uniform": lambda random, n: random.random((n, n)),
    "normal": lambda random, n: random.normal(size=(n, n)),
    "additive": lambda random, n: random.random((n, 1)) + random.random((1, n)) + 0.1 * random.random((n, n)),
    "products": lambda random, n: random.normal(size=(n, 4)) @ random.normal(size=(4, n)),
}


def exact_total(weights: Scores) -> tuple[float, float]:
    """Total of the exact optimum among largest matchings, and the seconds it took."""
    graph = rustworkx.PyGraph()
    graph.add_nodes_from(range(len(weights)))
    unit = np.nanmax(np.abs(weights)) / 1e6
    rows, columns = np.triu_indices(len(weights), 1)
    graph.add_edges_from([(int(i), int(j), round(weights[i, j] / unit)) for i, j in zip(rows, columns, strict=True)])
    began = time.perf_counter()
    pairs = rustworkx.max_weight_matching(graph, max_cardinality=True, weight_fn=lambda weight: weight)
    seconds = time.perf_counter() - began
    return float(sum(weights[pair] for pair in pairs)), seconds


def measure(kind: str, instances: int, seed: int) -> dict[str, Any]:
    shares, ours, theirs, greedy = [], [], [], []
    for instance in range(instances):
        random = stream(seed, "pairing", kind, instance)
        scores = KINDS[kind](random, int(random.integers(8, 201)))
        weights = np.fmax(scores, scores.T)
        exact, seconds = exact_total(weights)
        began = time.perf_counter()
        pairs = disjoint_pairs(scores, None, "optimal")
        ours.append(time.perf_counter() - began)
        theirs.append(seconds)
        shares.append(sum(weights[pair] for pair in pairs) / exact)
        greedy.append(sum(weights[pair] for pair in disjoint_pairs(scores, None, "greedy")) / exact)
    return {
        "instances": instances,
        "least_share_of_optimum": round(float(min(shares)), 5),
        "mean_share_of_optimum": round(float(np.mean(shares)), 6),
        "greedy_least": round(float(min(greedy)), 4),
        "greedy_mean": round(float(np.mean(greedy)), 4),
        "median_ms": round(1000 * median(ours), 1),
        "seconds_over_exact_solver": round(sum(ours) / sum(theirs), 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=1000)
    arguments = parser.parse_args()
    figures = {}
    for name in KINDS:
        figures[name] = measure(name, arguments.instances // len(KINDS), seed=0)
        print(name, figures[name], flush=True)
    append(row("pairing_quality", seed=0, kinds=figures))
