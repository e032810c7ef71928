"""Who holds which private problems: a label-Dirichlet draw **per category over agents**.

For every category c, shares q_c ~ Dirichlet(alpha * 1_N) say which part of c's problems each of the N agents gets. Small
alpha gives specialists. (A draw per example followed by argmax would be IID whatever alpha is.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knexa.errors import ConfigurationError
from knexa.evaluation.problems import CATEGORIES, Problem

ATTEMPTS = 2000


def dirichlet_partition(
    problems: Sequence[Problem], agents: int, alpha: float, minimum: int, rng: np.random.Generator
) -> list[list[Problem]]:
    """Deal ``problems`` to ``agents``, redrawing until each holds at least ``minimum``.

    Raises ConfigurationError if no draw does: ``minimum`` is too high for this alpha and number of problems.
    """
    by_category: dict[str, list[Problem]] = {}
    for problem in problems:
        by_category.setdefault(problem.category, []).append(problem)
    for _ in range(ATTEMPTS):
        dealt = _deal(by_category, agents, alpha, rng)
        if min(map(len, dealt)) >= minimum:
            return dealt
    raise ConfigurationError(
        f"data.minimum: no draw in {ATTEMPTS} gives each of {agents} agents {minimum} of {len(problems)} problems at "
        f"data.alpha = {alpha}; lower data.minimum or raise data.alpha or data.private"
    )


def _deal(by_category: dict[str, list[Problem]], agents: int, alpha: float, rng: np.random.Generator) -> list[list[Problem]]:
    dealt: list[list[Problem]] = [[] for _ in range(agents)]
    for _, members in sorted(by_category.items()):
        shares = rng.dirichlet(np.full(agents, alpha))
        cuts = np.round(np.cumsum(shares)[:-1] * len(members)).astype(int)
        shuffled = rng.permutation(len(members))
        for agent, chosen in enumerate(np.split(shuffled, cuts)):
            dealt[agent].extend(members[index] for index in chosen)
    return dealt


def category_histogram(problems: Sequence[Problem], categories: Sequence[str] = CATEGORIES) -> np.ndarray:
    """Share of each of ``categories`` (12, see :func:`slots`) among ``problems``: [12], sums to 1 (uniform if there are none)."""
    counts = np.array([sum(problem.category == name for problem in problems) for name in categories], dtype=float)
    return counts / counts.sum() if counts.sum() else np.full(len(categories), 1.0 / len(categories))
