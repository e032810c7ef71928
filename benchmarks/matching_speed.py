"""How long does a round of matching take, beside its floor?

    OPENBLAS_NUM_THREADS=1 python benchmarks/matching_speed.py --agents 1000 10000 --kinds concat gap [--workers 2] [--quality]

A round is contexts, scores and disjoint pairs of all agents, by ``best_pairs``, from arrays; what it takes to make the arrays of
profiles is told apart. Its floors, in the same run: one float32 matrix product of the shapes that the round needs, and one pass over its
memory. Each measurement has a process of its own, so that its peak of memory is its own. ``--quality`` instead tells which share of
the total score of greedy over all pairs the candidate search reaches, and ``--update`` times one reward of LinUCB at 64 numbers.
Appends rows to results/.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from knexa.matching.bandits import LinUCB
from knexa.matching.candidates import EXACT, PARTNERS, SHARD, best_pairs
from knexa.matching.context import contexts, features, prior
from knexa.matching.history import History
from knexa.matching.pair_scores import Kind, pair_scores
from knexa.matching.pairing import disjoint_pairs
from knexa.matching.population import Population
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRICS, Profile
from knexa.randomness import stream
from rows import append, row

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]

#: Up to this many agents a round is run so often, and the median told.
REPEATED, TIMES = 10_000, 7


def columns(agents: int, seed: int) -> dict[str, Numbers]:
    """Specialists: able where their data are, of unequal skill; half a run old."""
    random = stream(seed, "matching_speed", agents)
    gamma = random.standard_gamma(0.3, (agents, CATEGORY_COUNT)) + 1e-6
    histogram = gamma / gamma.sum(axis=1, keepdims=True)
    able = 0.5 * random.beta(2, 3, (agents, 1)) + 0.6 * histogram / histogram.max(axis=1, keepdims=True)
    metrics = random.normal(0.0, 0.05, (agents, len(METRICS)))
    metrics[:, :6] += random.random((agents, 6))
    given = {
        "family": np.eye(len(FAMILIES))[random.integers(len(FAMILIES), size=agents)],
        "metrics": metrics,
        "histogram": histogram,
        "probe": np.round(np.clip(able + random.normal(0.0, 0.1, able.shape), 0.0, 1.0) * 5) / 5,
        "coverage": random.random((agents, CATEGORY_COUNT)) * histogram.clip(0.0, 0.5),
        "trust": random.beta(4, 3, agents),
        "teaching_success": random.beta(3, 3, agents),
        "learning_success": random.beta(3, 3, agents),
        "teaching_share": random.beta(4, 4, agents),
    }
    return {name: column.astype(np.float32) for name, column in given.items()}


def profiles(agents: int, seed: int) -> list[Profile]:
    blocks = ("family", "metrics", "histogram", "probe", "coverage")
    rows = zip(*(columns(agents, seed)[name].tolist() for name in blocks), strict=True)
    return [Profile(f"agent-{place}", 1, *map(tuple, blocks)) for place, blocks in enumerate(rows)]


def bandit(kind: Kind, rewards: int, seed: int) -> LinUCB:
    """One that has learned from ``rewards`` random pairs what the prior of ``gap`` believes, with as much noise again."""
    random, agents = stream(seed, "matching_speed", kind), profiles(60, seed + 1)
    X, truth = contexts(kind, agents, History(), 1, 10), contexts("gap", agents, History(), 1, 10) @ np.array(prior("gap", True, True))
    learned = LinUCB(len(features(kind)), exploration=0.5, prior=prior(kind, True, True))
    for _ in range(rewards):
        t, s = random.choice(len(agents), size=2, replace=False)
        learned.update(X[t, s], (truth[t, s] - truth.mean()) / truth.std() + random.normal())
    return learned


def timed(work: Callable[[], object], times: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def floors(agents: int, kind: Kind, exact: bool, times: int) -> dict[str, float]:
    """Seconds of the matrix products alone, and of reading once what has to be read: all scores, or all agents."""
    width = 34 if kind == "concat" else 46
    side, squares = (agents, 1) if exact else (SHARD, -(-agents // SHARD))
    left, right = np.ones((side, width), np.float32), np.ones((width, side), np.float32)
    scores = np.ones((side, side), np.float32)
    memory = scores if exact else np.ones((agents, 60), np.float32)
    product = timed(lambda: [np.matmul(left, right, out=scores) for _ in range(squares)], times)
    return {"gemm": product, "memory": timed(memory.max, times)}


def measure(kind: Kind, agents: int, workers: int, seed: int) -> dict[str, Any]:
    times = TIMES if agents <= REPEATED else 1
    population, learned, exact = (
        Population.from_columns(**columns(agents, seed), progress=0.5),
        bandit(kind, 60, seed),
        agents <= EXACT[kind],
    )
    resting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def a_round() -> object:
        return best_pairs(population, kind, learned, 3, random=stream(seed, "shards"), workers=workers)

    before = time.process_time()
    seconds = timed(a_round, times)
    processor = (time.process_time() - before) / times
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"kind": kind, "agents": agents, "exact": exact, "workers": workers, "seconds": seconds, "processor_seconds": processor}
    figures |= {"peak_gib": round(peak / 2**20, 2), "resting_gib": round(resting / 2**20, 2)}
    for name, floor in floors(agents, kind, exact, times).items():
        figures |= {f"{name}_seconds": floor, f"over_{name}": round(seconds / floor, 1)}
    if agents <= REPEATED:
        given, history = profiles(agents, seed), History()
        figures["from_profiles_seconds"] = timed(lambda: Population.of(given, history, 3, 10), 3)
    if agents <= 1000:
        d = len(features(kind))
        figures["dense_seconds"] = timed(
            lambda: disjoint_pairs(learned.scores(contexts(kind, given, history, 3, 10).reshape(-1, d), 3).reshape(agents, agents)), 3
        )
    return figures


def quality(kind: Kind, agents: int, workers: int, seed: int) -> dict[str, Any]:
    """Share of the total of greedy over all pairs; ``above_random`` is what a random pairing has taken off both."""
    population, learned = Population.from_columns(**columns(agents, seed), progress=0.5), bandit(kind, 60, seed)
    scores = pair_scores(population, kind, learned, 3)

    def total(limit: int | None, exact: int) -> float:
        pairs = best_pairs(population, kind, learned, 3, limit, random=stream(seed, "shards"), exact=exact, workers=workers)
        return float(scores.listed(*np.array(pairs).T)[0].sum(dtype=np.float64))

    drawn = stream(seed, "random").permutation(agents)[: agents // 2 * 2].reshape(-1, 2)
    by_chance = float(scores.listed(*drawn.T)[0].sum(dtype=np.float64))
    dense, searched, few = total(None, agents), total(None, 0), agents // 20
    return {
        "kind": kind,
        "agents": agents,
        "share_of_dense": round(searched / dense, 4),
        "above_random": round((searched - by_chance) / (dense - by_chance), 4),
        "share_of_dense_best_twentieth": round(total(few, 0) / total(few, agents), 4),
    }


def update(seed: int) -> dict[str, Any]:
    """One reward, and its floor: one symmetric product and two passes over A and its inverse."""
    random, learned = stream(seed, "update"), LinUCB(64)
    xs = random.normal(size=(2000, 64))
    began = time.perf_counter()
    for x in xs:
        learned.update(x, 1.0)
    seconds = (time.perf_counter() - began) / len(xs)
    square, vector = np.ones((64, 64)), np.ones(64)
    floor = timed(lambda: (square @ vector, square + square, square + square), 2000)
    return {
        "dim": 64,
        "microseconds": round(1e6 * seconds, 1),
        "floor_microseconds": round(1e6 * floor, 1),
        "over_floor": round(seconds / floor, 1),
    }


def apart(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """``work`` in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="*", default=[1000])
    parser.add_argument("--kinds", nargs="*", default=["concat", "gap"], choices=["concat", "gap"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    settings = {"seed": 0, "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS"), "shard": SHARD, "partners": PARTNERS}
    if arguments.update:
        report(settings | {"question": "update"} | apart(update, 0))
    for kind in arguments.kinds:
        before: dict[str, Any] | None = None
        for agents in sorted(arguments.agents):
            figures = apart(quality if arguments.quality else measure, kind, agents, arguments.workers, 0)
            if before is not None and "seconds" in figures:
                growth = math.log(figures["seconds"] / before["seconds"]) / math.log(agents / before["agents"])
                figures["grows_as_power"] = round(growth, 2)
            before = figures
            report(settings | {"question": "quality" if arguments.quality else "round"} | figures)


def report(figures: dict[str, Any]) -> None:
    rounded = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}
    print(rounded, flush=True)
    append(row("matching_speed", **rounded))


if __name__ == "__main__":
    main()
