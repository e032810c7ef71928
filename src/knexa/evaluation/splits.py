"""How a set of problems is split: private pool, validation, transfer set, probe and test, disjoint by prompt and by program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from knexa.errors import ConfigurationError
from knexa.evaluation.normal_form import share_nothing
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.evaluation.topics import Topics
from knexa.randomness import stream

#: Shares of a problem file that become validation, transfer set, probe and test split; the rest is private.
FILE_SHARES = {"validation": 0.05, "transfer": 0.10, "probe": 0.05, "test": 0.25}
#: Shares where every agent has a file of its own; the rest is the test split.
PUBLIC_SHARES = {"validation": 0.10, "transfer": 0.35, "probe": 0.15, "private": 0.0}
#: The paper's X_u has so many prompts; a larger one would only be answered in parts.
LARGEST_TRANSFER_SET = 128
SPLITS = ("private", "validation", "transfer", "probe", "test")
#: Fewer problems than this cannot be split in a way that measures anything.
FEWEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """``private`` is dealt out to agents, ``validation`` is for choices and curves, ``transfer`` is X_u (public), ``probe`` is public
    too but never distilled, ``test`` is for final scores only.

    ``categories``: at most 12 names, those of all problems. ``topics``: what assigns them, where no row names one.
    ``notes``: what was left out and why, in sentences for the user.
    """

    private: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    transfer: tuple[Problem, ...]
    probe: tuple[Problem, ...]
    test: tuple[Problem, ...]
    categories: tuple[str, ...] = CATEGORIES
    topics: Topics | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, groups: Mapping[str, Sequence[Problem]], **rest: Any) -> Self:
        """The five splits by name, and whatever else of them is known."""
        splits: dict[str, Any] = {name: tuple(groups[name]) for name in SPLITS}
        return cls(**splits, **rest)

    def groups(self) -> dict[str, tuple[Problem, ...]]:
        """The five splits by name."""
        return {name: getattr(self, name) for name in SPLITS}


def require_disjoint(splits: Splits) -> Splits:
    """``splits`` itself. Raises ConfigurationError if two of them share a prompt or a program."""
    shared = share_nothing(list(splits.groups().items()))
    if shared:
        raise ConfigurationError(f"data.problems: the splits are not disjoint: {shared}; leave one of them out")
    return splits


def split_by_shares(name: str, problems: Sequence[Problem], seed: int, shares: Mapping[str, float]) -> Splits:
    """Splits of one problem file: ``shares`` of it by name, the rest is the split that has none.

    Raises ConfigurationError for fewer than :data:`FEWEST` problems.
    """
    if len(problems) < FEWEST:
        raise ConfigurationError(f"{name}: {len(problems)} different problems; at least {FEWEST} are needed to split them")
    rest = shuffled(problems, seed, "file")
    cut: dict[str, tuple[Problem, ...]] = {}
    for split, share in shares.items():
        size = min(int(share * len(problems)), LARGEST_TRANSFER_SET if split == "transfer" else len(problems))
        cut[split], rest = tuple(rest[:size]), rest[size:]
    (remaining,) = set(SPLITS) - set(shares)
    return require_disjoint(Splits.of({**cut, remaining: tuple(rest)}))


def shuffled(problems: Sequence[Problem], seed: int, purpose: str) -> list[Problem]:
    """``problems`` in an order that ``seed`` and ``purpose`` name."""
    return [problems[index] for index in stream(seed, purpose).permutation(len(problems))]


def by_category(problems: Sequence[Problem], categories: Sequence[str] = CATEGORIES) -> tuple[Problem, ...]:
    """Sorted by category, so that every few-th problem of a test split still spans all of them."""
    return tuple(sorted(problems, key=lambda problem: categories.index(problem.category)))


def evenly(problems: Sequence[Problem], size: int) -> list[Problem]:
    """``size`` of ``problems``, as many of every category as there are: the first of each category, then the second of each, …"""
    seen: Counter[str] = Counter()
    ranked = []
    for place, problem in enumerate(problems):
        ranked.append((seen[problem.category], place))
        seen[problem.category] += 1
    return [problems[place] for _, place in sorted(ranked)[:size]]
