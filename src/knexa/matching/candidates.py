"""Disjoint pairs among very many agents: candidate partners first, exact scores for the candidates alone.

Up to :data:`EXACT` agents all pairs are scored, in tiles, and greedy chooses. Beyond, a round costs O(n · shard) for the search and
O(n · k · d) for exact scores of k candidates an agent:

1. Agents are dealt into random shards. Inside a shard all pairs get a cheap score (``sketch``), and each agent keeps k partners:
   half of them the best outright, the other half the best beyond what the partner is worth to anybody, for otherwise all agents
   would name the same few, and disjoint pairs could not be made of that. The pairs that greedy would take first join them. Where
   the cheap score is the exact one (``concat``), those of greedy are enough.
2. These candidates get exact scores in both directions, and greedy chooses among them.
3. Agents still without a partner are dealt anew, until few enough are left to look at all their pairs.

Nothing is kept from round to round: agents may come and go. How much of greedy's total over all pairs is lost, and how long a
round takes, ``benchmarks/matching_speed.py`` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from knexa.matching.bandits import LinearBandit
from knexa.matching.context import GAP_FEATURES, write_gap
from knexa.matching.gaps import Gaps, Grid, Listed, tiles
from knexa.matching.greedy import Pair, greedy_pairs, sparse_pairs
from knexa.matching.pair_scores import Kind, PairScores, pair_scores
from knexa.matching.population import Population
from knexa.matching.sketch import Sketch, sketch

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Given = TypeVar("Given")
Result = TypeVar("Result")

#: Up to this many agents all pairs are scored: about 3 s of one core. 10,000 agents need 1 GB.
EXACT: dict[Kind, int] = {"gap": 4_000, "concat": 10_000}

#: Agents among whom a partner is sought, and partners kept of each.
SHARD = 1000
PARTNERS = 8

#: Search goes on until so many times the pairs wanted are found, or nobody is left.
_SPARE = 4

#: Candidate pairs scored at a time.
_BLOCK = 1 << 14


def best_pairs(
    population: Population,
    kind: Kind,
    bandit: LinearBandit,
    round: int,
    limit: int | None = None,
    *,
    random: np.random.Generator,
    exact: int | None = None,
    shard: int = SHARD,
    partners: int = PARTNERS,
    workers: int = 1,
) -> list[Pair]:
    """Disjoint (teacher, student) pairs of the ``population``, by positions, best first, at most ``limit`` (None = n // 2).

    ``random`` deals the shards of ``shard`` agents; it is not read where all pairs are scored: up to ``exact`` agents (None:
    :data:`EXACT`), with the result of greedy :func:`disjoint_pairs` but for rounding to float32. ``partners``: k above. ``workers``:
    threads; the result does not depend on them. A larger shard loses less and costs in proportion.

    Memory beside the population: 6 n² bytes exact; beyond, 1 to 2 kB an agent. Processor time: exact, 0.3 µs for two agents
    (``concat`` 0.05); beyond, some 90 µs an agent (``concat`` 35). Raises ValueError on a negative limit or workers below 1, and on
    shards or partners below 2.
    """
    if (limit is not None and limit < 0) or shard < 2 or partners < 2 or workers < 1:
        raise ValueError(f"limit must be at least 0, shard and partners 2, workers 1; they are {limit}, {shard}, {partners} and {workers}")
    most = len(population) // 2 if limit is None else min(limit, len(population) // 2)
    free, all_pairs_of = np.arange(len(population)), EXACT[kind] if exact is None else exact
    chosen = np.zeros((0, 2), dtype=np.int64)
    # Among many more pairs than wanted the best are good ones; later pairs are seldom better.
    while len(free) > 1 and len(chosen) < _SPARE * most:
        whole = population if len(free) == len(population) else population.part(free)
        scores = pair_scores(whole, kind, bandit, round)
        if len(free) <= all_pairs_of:
            pairs = _exact_pairs(scores, len(free), most if len(chosen) == 0 else len(free) // 2, workers)
        else:
            shards = _shards(len(free), shard, random)
            edges = _candidates(sketch(whole, kind, scores, random), scores, shards, partners, workers)
            pairs = np.array(sparse_pairs(len(free), *edges), dtype=np.int64)
            all_pairs_of = min(all_pairs_of, shard)
        chosen = np.concatenate([chosen, free[pairs]])
        rest = np.ones(len(free), dtype=bool)
        rest[pairs] = False
        free = free[rest] if len(free) > all_pairs_of else free[:0]
    return _best_first(pair_scores(population, kind, bandit, round), chosen)[:most]


def contexts_of(population: Population, kind: Kind, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """X[len(pairs), d] of (teacher, student) pairs, by positions: what :func:`best_pairs` judged them by."""
    teachers, students = (np.array([pair[role] for pair in pairs], dtype=np.int64) for role in (0, 1))
    if kind == "concat":
        numbers = population.numbers()
        return np.concatenate([numbers[teachers], numbers[students]], axis=1).astype(np.float64)
    X = np.empty((len(pairs), len(GAP_FEATURES)))
    write_gap(Gaps(population).columns(Listed(teachers, students)), X)
    return X


def _exact_pairs(scores: PairScores, agents: int, most: int, workers: int) -> Indices:
    """Greedy pairs [m, 2] over all pairs, the better direction of each."""
    upper = np.full((agents, agents), -np.inf, dtype=np.float32)

    def fill(tile: Grid) -> None:
        best = np.maximum(*scores.grid(tile))
        if tile.rows == tile.columns:
            best[np.tri(len(best), dtype=bool)] = -np.inf
        upper[tile.rows, tile.columns] = best

    _each(fill, list(tiles(agents, scores.side)), workers)
    pairs = np.array(greedy_pairs(upper, most), dtype=np.int64).reshape(-1, 2)
    return _better_way(scores, pairs)[0]


def _candidates(rough: Sketch, scores: PairScores, shards: list[Indices], partners: int, workers: int) -> tuple[Indices, Indices, Array]:
    """Teachers, students and scores of the candidate pairs."""

    def scored(members: Indices) -> tuple[Indices, Array]:
        pairs = _neighbours(rough, members, partners)
        parts = [_better_way(scores, block) for block in np.array_split(pairs, len(pairs) // _BLOCK + 1)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    found = _each(scored, shards, workers)
    pairs = np.concatenate([part[0] for part in found])
    return pairs[:, 0], pairs[:, 1], np.concatenate([part[1] for part in found])


def _better_way(scores: PairScores, pairs: Indices) -> tuple[Indices, Array]:
    """(teacher, student) of each of ``pairs`` [e, 2] in its better direction, and the score of that [e]."""
    forward, backward = scores.listed(*pairs.T)
    return np.where((backward > forward)[:, None], pairs[:, ::-1], pairs), np.maximum(forward, backward)


def _each(work: Callable[[Given], Result], items: Sequence[Given], workers: int) -> list[Result]:
    """``work`` of each item, in their order; NumPy lets threads run beside each other."""
    if workers == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))


def _shards(agents: int, size: int, random: np.random.Generator) -> list[Indices]:
    """All agents, dealt into shards of nearly equal sizes, at most ``size``."""
    return np.array_split(random.permutation(agents), -(-agents // size))


def _neighbours(rough: Sketch, members: Indices, partners: int) -> Indices:
    """Pairs of ``members`` [e, 2], each at most twice: the best partners of each, and those that greedy pairs."""
    score, size = rough.square(members), len(members)
    worth = np.maximum(score, score.T)
    np.fill_diagonal(worth, -np.inf)
    found, most = [], size // 2
    if not rough.exact:
        sought = score.mean(axis=0) + score.mean(axis=1)
        kept = _best_of_rows(worth, partners // 2) | _best_of_rows(np.subtract(worth, sought, out=score), partners - partners // 2)
        one, other = np.divmod(np.flatnonzero(kept), size)
        found.append(np.unique(np.minimum(one, other) * size + np.maximum(one, other)))
        # The best of them alone: who is left over here finds a better partner in the next shard.
        most = max(size // 8, 1)
    for row in range(size):
        worth[row, : row + 1] = -np.inf
    pairs = np.array(greedy_pairs(worth, most), dtype=np.int64).reshape(-1, 2)
    keys = np.concatenate([*found, pairs[:, 0] * size + pairs[:, 1]])
    chosen: Indices = members[np.stack([keys // size, keys % size], axis=1)]
    return chosen


def _best_of_rows(values: Array, count: int) -> NDArray[np.bool_]:
    """Where the ``count`` greatest numbers of each row stand; -inf never does."""
    first = max(values.shape[1] - count, 0)
    # Far faster than an indirect partition, which is needed only where numbers are equal.
    least = np.partition(values, first, axis=1)[:, first, None]
    best: NDArray[np.bool_] = values >= np.maximum(least, np.finfo(values.dtype).min)
    tied = np.flatnonzero(np.count_nonzero(best, axis=1) > count)
    best[tied] = False
    best[tied[:, None], np.argpartition(values[tied], first, axis=1)[:, first:]] = True
    return best


def _best_first(scores: PairScores, pairs: Indices) -> list[Pair]:
    worth = np.concatenate([scores.listed(*block.T)[0] for block in np.array_split(pairs, len(pairs) // _BLOCK + 1)])
    order = np.lexsort((pairs.max(axis=1), pairs.min(axis=1), -worth))
    return list(zip(*pairs[order].T.tolist(), strict=True))
