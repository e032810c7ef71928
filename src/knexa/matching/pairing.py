"""Disjoint pairs: from the scores of all ordered pairs to who teaches whom this round, each agent in at most one pair.

Both methods choose as many pairs as the limit and the admissible pairs allow: an exchange is never skipped because its
score is negative, for scores are relative (z-scored rewards), and a round spent alone teaches the bandit nothing.
Each unordered pair enters with its better direction.

- ``greedy`` (Alg. 1): sort by score, take while both agents are free (``greedy``, fast for thousands of agents). Where few
  pairs are admissible it may find fewer pairs than there could be.
- ``optimal``: among the largest sets of disjoint pairs, one with the greatest total. Exact up to :data:`EXACT_AGENTS`
  agents (Edmonds' blossom algorithm, by rustworkx). Beyond, the assignment relaxation with its cycles split into pairs, or greedy
  where that totals more, and then swaps of partners between pairs for as long as one gains
  (``benchmarks/pairing_quality.py``: within a fraction of a percent of the exact optimum).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import rustworkx
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from knexa.matching.greedy import Pair, greedy_pairs, sparse_pairs

__all__ = ["EXACT_AGENTS", "Pair", "disjoint_pairs", "sparse_pairs"]

#: Up to this many agents ``optimal`` is exact.
EXACT_AGENTS = 200

_WHOLE = 1e9  # the blossom algorithm wants whole weights: rounding to a billionth of their spread costs no more than that


def disjoint_pairs(scores: ArrayLike, limit: int | None = None, method: Literal["greedy", "optimal"] = "greedy") -> list[Pair]:
    """Choose disjoint (teacher, student) index pairs, best first.

    ``scores``: [n, n], ``scores[t, s]`` for t teaching s; NaN is inadmissible, the diagonal is ignored. ``limit``: most
    pairs; None = n // 2. Ties go to the smaller index. Raises ValueError on another shape, an infinite score, a negative
    limit or an unknown method.
    """
    matrix = np.array(scores, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"scores must have shape [n, n], not {list(matrix.shape)}")
    np.fill_diagonal(matrix, np.nan)
    if np.isinf(matrix).any():
        raise ValueError("scores must be finite, or NaN where a pair is inadmissible")
    if method not in ("greedy", "optimal"):
        raise ValueError(f"method must be 'greedy' or 'optimal', not {method!r}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, it is {limit}")
    agents = len(matrix)
    most = agents // 2 if limit is None else min(limit, agents // 2)
    weights = np.fmax(matrix, matrix.T)
    if most == 0 or np.isnan(weights).all():
        return []
    chosen = _greedy(weights, most) if method == "greedy" else _optimal(weights, most)
    return [_directed(matrix, i, j) for i, j in _best_first(weights, chosen)]


def _directed(matrix: NDArray[np.float64], i: int, j: int) -> Pair:
    """The better direction of an unordered pair, of which one may be inadmissible."""
    forward, backward = matrix[i, j], matrix[j, i]
    return (j, i) if np.isnan(forward) or backward > forward else (i, j)


def _best_first(weights: NDArray[np.float64], pairs: list[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: (-weights[pair], pair))


def _greedy(weights: NDArray[np.float64], most: int) -> list[Pair]:
    return greedy_pairs(np.where(np.triu(~np.isnan(weights), 1), weights, -np.inf), most)


def _optimal(weights: NDArray[np.float64], most: int) -> list[Pair]:
    if len(weights) <= EXACT_AGENTS:
        return _exact(weights, most)
    return _swapped(weights, _split_assignment(weights, most))


def _exact(weights: NDArray[np.float64], most: int) -> list[Pair]:
    """The greatest total among the largest sets of at most ``most`` disjoint pairs.

    A limit becomes agents that do not exist: n - 2·most of them, each a partner for anybody, worth nothing. A largest matching
    uses them all, so it has room for ``most`` real pairs and no more.
    """
    agents = len(weights)
    rows, columns = np.nonzero(np.triu(~np.isnan(weights), 1))
    values = weights[rows, columns]
    spread = float(values.max() - values.min()) or 1.0
    whole = np.rint((values - values.min()) / spread * _WHOLE).astype(np.int64)
    edges = list(zip(rows.tolist(), columns.tolist(), whole.tolist(), strict=True))
    nobodies = range(agents, agents + agents - 2 * most)
    edges += [(agent, nobody, 0) for nobody in nobodies for agent in range(agents)]
    graph: rustworkx.PyGraph[None, int] = rustworkx.PyGraph()
    graph.add_nodes_from([None] * (agents + len(nobodies)))
    graph.add_edges_from(edges)
    found = rustworkx.max_weight_matching(graph, max_cardinality=True, weight_fn=int)
    return [(min(pair), max(pair)) for pair in found if max(pair) < agents]


def _total(pairs: list[Pair], weights: NDArray[np.float64]) -> float:
    return float(sum(weights[pair] for pair in pairs))


def _swapped(weights: NDArray[np.float64], pairs: list[Pair]) -> list[Pair]:
    """``pairs`` after two pairs at a time exchanged partners, the greatest gains first, until no exchange gains.

    Weights count from the least: the number of pairs stays, so what is common to all decides nothing, and rounding is then far below the
    tolerance. So every exchange raises the total, no set of pairs comes back, and there is an end.
    """
    chosen = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    values = np.where(np.isnan(weights), -np.inf, weights - np.nanmin(weights))
    tolerance = 1e-12 * float(values.max())
    while True:
        first, second = chosen.T
        own = values[first, second]
        crossed = values[np.ix_(first, second)]
        straight = values[np.ix_(first, first)] + values[np.ix_(second, second)]
        gain = np.triu(np.maximum(straight, crossed + crossed.T) - own[:, None] - own[None, :], 1)
        one, other = np.nonzero(gain > tolerance)
        if len(one) == 0:
            return [(min(i, j), max(i, j)) for i, j in chosen.tolist()]
        is_straight = straight >= crossed + crossed.T
        free = np.ones(len(chosen), dtype=bool)
        for best in np.argsort(-gain[one, other], kind="stable").tolist():
            p, q = int(one[best]), int(other[best])
            if free[p] and free[q]:
                free[p] = free[q] = False
                (a, b), (c, d) = chosen[p].tolist(), chosen[q].tolist()
                chosen[p], chosen[q] = ((a, c), (b, d)) if is_straight[p, q] else ((a, d), (c, b))


def _split_assignment(weights: NDArray[np.float64], most: int) -> list[Pair]:
    """Many agents: solve the assignment relaxation, split its cycles, fill up greedily; greedy alone where that is better."""
    greedy = _greedy(weights, most)
    chosen = _cut(_relaxed(weights), weights)
    rest = weights.copy()
    for pair in chosen:
        rest[list(pair), :] = rest[:, list(pair)] = np.nan
    chosen += _greedy(rest, most)
    chosen = _best_first(weights, chosen)[:most]
    return max(greedy, chosen, key=lambda pairs: (len(pairs), _total(pairs, weights)))


def _relaxed(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Best permutation [n] of agents; a fixed point is an agent without a partner, which costs more than any pair."""
    low, high = float(np.nanmin(weights)), float(np.nanmax(weights))
    alone = low - (high - low + 1.0)
    forbidden = alone - len(weights) * (high - alone + 1.0)
    costs = np.where(np.isnan(weights), forbidden, weights)
    np.fill_diagonal(costs, alone)
    _, partner = linear_sum_assignment(costs, maximize=True)
    return partner


def _cut(partner: NDArray[np.int64], weights: NDArray[np.float64]) -> list[Pair]:
    """Disjoint pairs along the permutation's cycles: of each cycle the alternate edges of greatest total."""
    seen: set[int] = set()
    chosen: list[Pair] = []
    for start in range(len(partner)):
        if start in seen:
            continue
        cycle = [start]
        while (following := int(partner[cycle[-1]])) != start:
            cycle.append(following)
        seen.update(cycle)
        if len(cycle) > 1:
            chosen += _alternate(cycle, weights)
    return [pair for pair in chosen if not np.isnan(weights[pair])]


def _alternate(cycle: list[int], weights: NDArray[np.float64]) -> list[Pair]:
    """The best of the ways to take every other edge of a cycle: two ways if it is even, one per agent left out if odd."""
    length = len(cycle)
    edges = [(min(a, b), max(a, b)) for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True)]
    ways = [[edges[(start + step) % length] for step in range(0, length - 1, 2)] for start in range(2 if length % 2 == 0 else length)]
    return max(ways, key=lambda way: _total(way, weights))
