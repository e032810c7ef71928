"""Disjoint pairs: from the scores of all ordered pairs to who teaches whom this round, each agent in at most one pair.

Both methods choose as many pairs as the limit and the admissible pairs allow: an exchange is never skipped because its
score is negative, for scores are relative (z-scored rewards), and a round spent alone teaches the bandit nothing.
Each unordered pair enters with its better direction.

- ``greedy`` (Alg. 1): sort by score, take while both agents are free. Where few pairs are
  admissible it may find fewer pairs than there could be.
- ``optimal``: among the largest sets of disjoint pairs, one with the greatest total. Exact up to :data:`EXACT_AGENTS`
  agents, as an integer program (HiGHS). Beyond, the assignment relaxation with its cycles split into pairs, or greedy
  where that totals more; up to :data:`REFINED_AGENTS` agents, the integer program over each agent's best partners improves on
  both (``benchmarks/pairing_quality.py``: within a fraction of a percent of the exact optimum).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import csr_array

Pair = tuple[int, int]

#: Up to this many agents ``optimal`` is exact.
EXACT_AGENTS = 40

#: Up to this many agents ``optimal`` weighs each agent's :data:`BEST_PARTNERS` best partners by an integer program.
REFINED_AGENTS = 400
BEST_PARTNERS = 16

#: Ends the search for the last fraction of a percent after as many branches on any machine, as a time limit would not.
_MOST_BRANCHES = 2000

_SOLVER_SCALE = 1e4  # HiGHS stops at an absolute gap of 1e-6: on weights spread over 1e4 that is 1e-10 of the spread


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
    rows, columns = np.nonzero(np.triu(~np.isnan(weights), 1))
    order = np.argsort(-weights[rows, columns], kind="stable")
    free = np.ones(len(weights), dtype=bool)
    chosen: list[Pair] = []
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if len(chosen) == most:
            break
        if free[i] and free[j]:
            free[i] = free[j] = False
            chosen.append((i, j))
    return chosen


def _optimal(weights: NDArray[np.float64], most: int) -> list[Pair]:
    if len(weights) > EXACT_AGENTS:
        chosen = _split_assignment(weights, most)
        return _refined(weights, chosen) if len(weights) <= REFINED_AGENTS else chosen
    for count in range(most, 0, -1):
        chosen = _integer_program(weights, np.isfinite(weights), count)
        if chosen:
            return chosen
    return []


def _refined(weights: NDArray[np.float64], known: list[Pair]) -> list[Pair]:
    """As many pairs as ``known``, of at least its total, out of each agent's best partners and ``known`` itself."""
    values = np.where(np.isnan(weights), -np.inf, weights)
    partners = np.argsort(-values, axis=1, kind="stable")[:, :BEST_PARTNERS]
    promising = np.zeros(weights.shape, dtype=bool)
    np.put_along_axis(promising, partners, True, axis=1)
    for pair in known:
        promising[pair] = True
    found = _integer_program(weights, (promising | promising.T) & np.isfinite(weights), len(known), branches=_MOST_BRANCHES)
    return max(known, found, key=lambda pairs: _total(pairs, weights)) if found else known


def _total(pairs: list[Pair], weights: NDArray[np.float64]) -> float:
    return float(sum(weights[pair] for pair in pairs))


def _integer_program(weights: NDArray[np.float64], allowed: NDArray[np.bool_], count: int, branches: int | None = None) -> list[Pair]:
    """Exactly ``count`` disjoint ``allowed`` pairs of greatest total; empty if there are not that many, or none after ``branches``.

    maximise Σ w_e x_e with x_e in {0, 1}, Σ x_e = count, and Σ of the x_e at each agent at most 1.
    """
    rows, columns = np.nonzero(np.triu(allowed, 1))
    edges, agents = len(rows), len(weights)
    variable = np.arange(edges)
    places = (np.concatenate([rows, columns, np.full(edges, agents)]), np.concatenate([variable, variable, variable]))
    incidence = csr_array((np.ones(3 * edges), places), shape=(agents + 1, edges))
    at_least, at_most = np.append(np.zeros(agents), count), np.append(np.ones(agents), count)
    values = weights[rows, columns]
    spread = float(values.max() - values.min()) or 1.0
    solution = milp(
        -(values - values.max()) / spread * _SOLVER_SCALE,
        constraints=LinearConstraint(incidence, at_least, at_most),
        integrality=np.ones(edges, dtype=np.int64),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0} if branches is None else {"mip_rel_gap": 0.0, "node_limit": branches},
    )
    if solution.x is None:
        return []
    taken = solution.x > 0.5
    return list(zip(rows[taken].tolist(), columns[taken].tolist(), strict=True))


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
