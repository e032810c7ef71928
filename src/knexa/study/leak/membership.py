"""Membership inference: how well a score tells texts that an agent learned from (members) and texts that it did not (non-members) apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knexa.study.statistics import Interval

_TOKEN = re.compile(r"\w+|[^\w\s]")
#: Tokens in a row that texts are compared by: as many as make two programs alike and not merely two lines.
_RUN = 4


def auc(members: Sequence[float], others: Sequence[float]) -> float:
    """Probability that a member scores higher than a non-member, ties half: .5 is chance. ValueError without either."""
    if not len(members) or not len(others):
        raise ValueError("no members or no non-members: nothing can be told apart")
    inside, outside = np.asarray(members, dtype=np.float64)[:, None], np.asarray(others, dtype=np.float64)[None, :]
    return float(((inside > outside) + 0.5 * (inside == outside)).mean())


def auc_interval(
    members: Sequence[Sequence[float]], others: Sequence[Sequence[float]], rng: np.random.Generator, *, draws: int = 2000
) -> Interval:
    """Mean AUC over agents, and its percentile interval where members and non-members of each agent are drawn again.

    ``members`` and ``others``: scores, by agent; agents without either are left out. ValueError if that is all of them.
    """
    agents = [(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)) for a, b in zip(members, others, strict=True) if a and b]
    if not agents:
        raise ValueError("no members or no non-members: nothing can be told apart")
    means = np.empty(draws)
    for draw in range(draws):
        means[draw] = np.mean([auc(rng.choice(a, len(a)), rng.choice(b, len(b))) for a, b in agents])  # type: ignore[arg-type]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(np.mean([auc(a, b) for a, b in agents])), float(low), float(high), len(agents))  # type: ignore[arg-type]


class Likeness:
    """How alike a text is to the texts that left: the largest share of its runs of four tokens that stand in one of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._holders: dict[tuple[str, ...], list[int]] = {}
        for number, text in enumerate(dict.fromkeys(texts)):
            for run in _runs(text):
                self._holders.setdefault(run, []).append(number)

    def __call__(self, text: str) -> float:
        """In [0, 1]; 0 for a text that is shorter than a run."""
        runs = _runs(text)
        shared: NDArray[np.int64] = np.array([number for run in runs for number in self._holders.get(run, ())], dtype=np.int64)
        return float(np.bincount(shared).max()) / len(runs) if len(shared) else 0.0


def _runs(text: str) -> set[tuple[str, ...]]:
    tokens = _TOKEN.findall(text)
    return {tuple(tokens[place : place + _RUN]) for place in range(len(tokens) - _RUN + 1)}
