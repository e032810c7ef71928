"""Greedy disjoint pairs of thousands of agents from all pairs, and of millions from a list of candidates.

Exact: the same pairs as sorting all edges and taking each while both its agents are free, ties to the smaller index. Fast,
because the order is only needed as far as greedy gets before its agents are taken:

- Of all pairs only the best share is sorted; then the pairs of agents that are still free are looked at again.
- An edge that comes before all other edges of both its ends is taken for sure (locally dominant; Preis 1999), so whole waves
  of edges are taken at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pair = tuple[int, int]
Indices = NDArray[np.int64]

#: Share of the edges that is sorted at a time, and numbers that are looked at to find where it begins.
_SHARE = 1 / 16
_SAMPLE = 1 << 14

#: Numbers that are moved at a time.
_GATHERED = 1 << 16

#: So many edges are quicker to walk through one by one than in waves.
_FEW = 2000


def greedy_pairs(upper: NDArray[np.floating[Any]], most: int) -> list[Pair]:
    """At most ``most`` disjoint pairs i < j, best first, by ``upper`` [n, n]: -inf where inadmissible and on and below the diagonal.

    ``upper`` must be contiguous and is overwritten; about a third of its size is needed beside it. 2 s for 10,000 agents.
    """
    left, agents = upper, np.arange(len(upper))
    chosen: list[Pair] = []
    while len(chosen) < most:
        edges = _best_edges(left)
        if len(edges) == 0:
            break
        free = np.ones(len(left), dtype=bool)
        i, j = np.divmod(edges, len(left))
        taken = _take(i, j, free, most - len(chosen))
        chosen += zip(agents[i[taken]].tolist(), agents[j[taken]].tolist(), strict=True)
        if len(chosen) < most:
            rest = np.flatnonzero(free)
            left, agents = _kept(left, rest), agents[rest]
    return chosen


def _kept(upper: NDArray[np.floating[Any]], rest: Indices) -> NDArray[np.floating[Any]]:
    """Rows and columns ``rest``, ascending, in the memory of ``upper``: rows never move to where a later one still stands."""
    count = len(rest)
    kept = upper.reshape(-1)[: count * count].reshape(count, count)
    step = max(1, _GATHERED // max(count, 1))
    for start in range(0, count, step):
        rows = slice(start, start + step)
        moved = upper[rest[rows]].take(rest[start:], axis=1)
        kept[rows, :start] = -np.inf
        kept[rows, start:] = moved
    return kept


def sparse_pairs(agents: int, teachers: ArrayLike, students: ArrayLike, scores: ArrayLike, limit: int | None = None) -> list[Pair]:
    """Greedy disjoint (teacher, student) pairs over a list of edges, best first: all pairs not in the list are inadmissible.

    ``teachers``, ``students`` [e]: positions below ``agents``; ``scores`` [e], NaN is inadmissible. The order of the edges does
    not matter; ties go to the smaller index. Two sorts of e numbers and about 60 bytes an edge: 16 million float32 edges take
    some 5 s. Raises ValueError on a position out of range, lists of unequal lengths, an infinite score or a negative limit.
    """
    t, s, values = _edges(agents, teachers, students, scores, limit)
    # First in the order of ties: by the smaller agent, then the larger; from the smaller to the larger before the other way.
    order = np.argsort((np.minimum(t, s) * agents + np.maximum(t, s)) * 2 + (t > s))
    order = order[_descending(values[order])]
    t, s = t[order], s[order]
    taken = _take(t, s, np.ones(agents, dtype=bool), agents // 2 if limit is None else limit)
    return list(zip(t[taken].tolist(), s[taken].tolist(), strict=True))


def _edges(
    agents: int, teachers: ArrayLike, students: ArrayLike, scores: ArrayLike, limit: int | None
) -> tuple[Indices, Indices, NDArray[np.floating[Any]]]:
    """The admissible edges as arrays, after all checks."""
    t, s, values = np.asarray(teachers, dtype=np.int64), np.asarray(students, dtype=np.int64), np.asarray(scores)
    if not t.shape == s.shape == values.shape == (t.size,):
        raise ValueError(f"teachers, students and scores must be lists of one length; shapes {t.shape}, {s.shape}, {values.shape}")
    if t.size and not (min(t.min(), s.min()) >= 0 and max(t.max(), s.max()) < agents):
        raise ValueError(f"teachers and students must be positions from 0 to {agents - 1}")
    if np.isinf(values).any():
        raise ValueError("scores must be finite, or NaN where a pair is inadmissible")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, it is {limit}")
    kept = np.flatnonzero((t != s) & ~np.isnan(values))
    return t[kept], s[kept], values[kept]


def _best_edges(upper: NDArray[np.floating[Any]]) -> Indices:
    """Flat positions in ``upper`` of about the best :data:`_SHARE` of the edges, at least one if there is one, best first."""
    flat = upper.reshape(-1)
    # Any threshold is right and a good one is fast: a quantile of a sample, whose steps visit all rows and columns.
    sample = flat[np.arange(min(flat.size, _SAMPLE)) * 2654435761 % max(flat.size, 1)]
    sample = sample[sample > -np.inf]
    if flat.size <= 4 * _SAMPLE or len(sample) < _SAMPLE // 64:
        edges = np.flatnonzero(flat > -np.inf)
    else:
        position = int(len(sample) * (1 - _SHARE))
        threshold = np.partition(sample, position)[position]
        edges = np.flatnonzero(flat >= threshold)
        enough = int(flat.size * _SHARE)
        if len(edges) > enough:
            # Of many equal edges the first are enough: the others come after them in the order of ties.
            better = flat[edges] > threshold
            better[np.flatnonzero(~better)[:enough]] = True
            edges = edges[better]
    return edges[_descending(flat[edges])]


def _descending(values: NDArray[np.floating[Any]]) -> Indices:
    """Positions of ``values`` [e] from the largest to the smallest; equal ones, 0.0 and -0.0 among them, in the given order."""
    if values.dtype != np.float32 or len(values) >= 2**32:
        return np.argsort(-values, kind="stable")
    # Sorting whole numbers made of value and position is ten times as fast as an indirect sort. The bits of a positive float
    # grow with it, those of a negative one fall.
    bits = (np.float32(0.0) - values).view(np.uint32)
    ranks = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    keys = np.sort((ranks << np.uint64(32)) | np.arange(len(values), dtype=np.uint64))
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _take(i: Indices, j: Indices, free: NDArray[np.bool_], most: int) -> Indices:
    """Positions of the edges (i[e], j[e]), best first, that greedy takes while both ends are ``free``; at most ``most``.

    Marks the ends of those taken (of some more, where ``most`` cuts it short).
    """
    taken = [np.zeros(0, dtype=np.int64)]
    start, room, chunk = 0, most, 2 * len(free) + 256
    while start < len(i) and room > 0:
        part = slice(start, start + chunk)
        rest = start + np.flatnonzero(free[i[part]] & free[j[part]])
        taken.append(_take_all(rest, i, j, free)[:room])
        start, room = start + chunk, room - len(taken[-1])
    return np.concatenate(taken)


def _take_all(rest: Indices, i: Indices, j: Indices, free: NDArray[np.bool_]) -> Indices:
    """Of the edges at positions ``rest``, ascending and between free agents, those that greedy takes, ascending; marks their ends."""
    taken: list[Indices] = []
    earliest, before = np.empty(len(free), dtype=np.int64), 2 * len(rest)
    while _FEW < len(rest) < 0.8 * before:
        before = len(rest)
        # Where a position repeats, the last assignment stays: from the back, that is an agent's first edge.
        back = rest[::-1]
        earliest[np.stack([i[back], j[back]], axis=1).reshape(-1)] = np.repeat(back, 2)
        dominant = rest[(earliest[i[rest]] == rest) & (earliest[j[rest]] == rest)]
        free[i[dominant]] = free[j[dominant]] = False
        taken.append(dominant)
        rest = rest[free[i[rest]] & free[j[rest]]]
    busy: set[int] = set()
    single: list[int] = []
    for edge, one, other in zip(rest.tolist(), i[rest].tolist(), j[rest].tolist(), strict=True):
        if one not in busy and other not in busy:
            busy.update((one, other))
            single.append(edge)
    free[list(busy)] = False
    return np.sort(np.concatenate([*taken, np.array(single, dtype=np.int64)]))
