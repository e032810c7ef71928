"""X_u, the public transfer set: the prompts that teachers answer, each with the public tests that a student may verify by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from knexa.evaluation.problems import CATEGORIES, Problem, slots
from knexa.exchange.framing import join_parts


class TransferSet:
    """Prompts by id, and their digest: both peers of an exchange must hold the same set."""

    def __init__(self, problems: Sequence[Problem], categories: Sequence[str] = CATEGORIES) -> None:
        """``categories``: at most 12 names, those of ``problems``."""
        self.categories = slots(categories)
        self.problems = {problem.task_id: problem for problem in problems}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the categories and, in order, all of a problem that is public: everything but its solution."""
        content = hashlib.sha256(join_parts(*(name.encode() for name in self.categories)))
        for one in self.problems.values():
            public = (one.task_id, one.category, one.prompt, one.test, one.entry_point)
            content.update(join_parts(*(part.encode() for part in public)))
        return content.hexdigest()

    def of_category(self, category: str) -> list[str]:
        return [key for key, problem in self.problems.items() if problem.category == category]

    def coverage(self, held: Sequence[str]) -> np.ndarray:
        """Share of the prompts of each category whose id is in ``held``: [12] (1 where a category has no prompt)."""
        known = set(held)
        shares = []
        for category in self.categories:
            ids = self.of_category(category)
            shares.append(sum(key in known for key in ids) / len(ids) if ids else 1.0)
        return np.array(shares)

    def draw(
        self, budget: int, held: Sequence[str], curriculum: Sequence[float], rng: np.random.Generator, *, strictly: bool = False
    ) -> list[str]:
        """``budget`` prompt ids. Without a curriculum uniformly from all (the paper); with one, prompts not yet held first,

        spread over categories by its shares (12 of them), then whatever else is lacking, then repetitions. ``strictly``: none of a
        category whose share is zero, even if they become fewer.
        """
        if not curriculum:
            return self._shuffled(list(self.problems), rng)[:budget]
        known = set(held)
        shares = dict(zip(self.categories, curriculum, strict=True))
        asked = [name for name in self.categories if name and (shares[name] > 0.0 or not strictly)]
        lacking = {name: self._shuffled([key for key in self.of_category(name) if key not in known], rng) for name in asked}
        chosen: list[str] = []
        available = [len(lacking.get(name, ())) for name in self.categories]
        for name, count in zip(self.categories, _apportioned(curriculum, available, budget), strict=True):
            chosen.extend(lacking.get(name, [])[:count])
        rest = self._shuffled([key for key, problem in self.problems.items() if key in known and problem.category in asked], rng)
        return [*self._shuffled(chosen, rng), *rest][:budget]

    @staticmethod
    def _shuffled(ids: list[str], rng: np.random.Generator) -> list[str]:
        return [ids[index] for index in rng.permutation(len(ids))]


def _apportioned(shares: Sequence[float], available: Sequence[int], budget: int) -> list[int]:
    """Whole numbers that sum to min(budget, sum of ``available``), none above its ``available``, by highest unmet share."""
    counts = [0] * len(shares)
    for _ in range(min(budget, sum(available))):
        open_ = [index for index, most in enumerate(available) if counts[index] < most]
        best = max(open_, key=lambda index: (shares[index] / (counts[index] + 1), -index))
        counts[best] += 1
    return counts
