"""Where problems come from: what ``data.problems`` and an agent's own ``data`` may name, with a category for every problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from knexa.config import HUMAN_EVAL_MBPP, NOTES, DataConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.classifier import category_of
from knexa.evaluation.human_eval_mbpp import human_eval_mbpp
from knexa.evaluation.normal_form import distinct, identities
from knexa.evaluation.notes import NOTES_FILE
from knexa.evaluation.problem_files import UNCATEGORISED, load_problems
from knexa.evaluation.problems import CATEGORIES, SLOTS, Problem
from knexa.evaluation.splits import FILE_SHARES, PUBLIC_SHARES, Splits, by_category, split_by_shares
from knexa.evaluation.topics import Topics


def load_splits(data: DataConfig, seed: int, *, own_files: bool = False) -> Splits:
    """The problems that ``data`` names, split; the same for every strategy of one seed. Raises ConfigurationError.

    ``own_files``: agents bring their private problems themselves, so a problem file is for public splits only.
    """
    if data.problems == "embedded":
        return load_bank()
    if data.problems == HUMAN_EVAL_MBPP:
        if data.mbpp is None:
            raise ConfigurationError(f"data.mbpp: data.problems = '{HUMAN_EVAL_MBPP}' needs the path of mbpp.jsonl (974 rows, CC BY 4.0)")
        return human_eval_mbpp(Path(data.mbpp), seed)
    path = NOTES_FILE if data.problems == NOTES else Path(data.problems)
    return _of_file(path, seed, PUBLIC_SHARES if own_files else FILE_SHARES)


def load_own(path: Path, splits: Splits) -> tuple[Sequence[Problem], tuple[str, ...]]:
    """An agent's own problems with the categories of ``splits``, and what was left out: copies, and what is public already."""
    problems = load_problems(path)
    public = {key for group in splits.groups().values() for problem in group for key in identities(problem)}
    kept, copies = distinct(problems)
    private = [problem for problem in kept if not identities(problem) & public]
    notes = [*_note(path, len(copies), "an earlier row has the same prompt or the same program")]
    notes += _note(path, len(kept) - len(private), "they also stand in the transfer set or another public split")
    return _categorised(path, private, splits.categories, splits.topics), tuple(notes)


def _of_file(path: Path, seed: int, shares: dict[str, float]) -> Splits:
    problems = load_problems(path)
    categories = _categories(path, problems)
    kept, copies = distinct(_categorised(path, problems, categories, None) if categories else problems)
    notes = _note(path, len(copies), "an earlier row has the same prompt or the same program")
    groups: dict[str, Sequence[Problem]] = dict(split_by_shares(str(path), kept, seed, shares).groups())
    topics = None
    if not categories:
        topics = Topics([problem.prompt for problem in groups["transfer"]])
        categories = topics.names
        groups = {name: _categorised(path, group, categories, topics) for name, group in groups.items()}
    groups["test"] = by_category(groups["test"], categories)
    return Splits.of(groups, categories=categories, topics=topics, notes=tuple(notes))


def _note(path: Path, count: int, why: str) -> list[str]:
    return [f"{path}: {count} rows are left out, since {why}"] if count else []


def _categories(path: Path, problems: Sequence[Problem]) -> tuple[str, ...]:
    """The 12 for programs; for texts the names in the file, sorted; none of texts that name none."""
    named = sorted({problem.category for problem in problems} - {UNCATEGORISED})
    if all(problem.runnable for problem in problems):
        return CATEGORIES
    if len(named) > SLOTS:
        raise ConfigurationError(f"{path}: {len(named)} different categories; at most {SLOTS} are told apart, so merge some")
    return tuple(named)


def _categorised(path: Path, problems: Sequence[Problem], categories: Sequence[str], topics: Topics | None) -> Sequence[Problem]:
    """Every problem with one of ``categories``. Raises ConfigurationError for a row that names another, or none where it has to."""
    if topics is not None and all(problem.category == UNCATEGORISED for problem in problems):
        names = topics.of([problem.prompt for problem in problems])
        return [replace(problem, category=name) for problem, name in zip(problems, names, strict=True)]
    return [_with_category(path, problem, categories) for problem in problems]


def _with_category(path: Path, problem: Problem, categories: Sequence[str]) -> Problem:
    if problem.category == UNCATEGORISED and categories == CATEGORIES:
        return replace(problem, category=category_of(problem))
    if problem.category == UNCATEGORISED:
        raise ConfigurationError(f"{path}: {problem.task_id} names no category, others do; name one in every row or in none")
    if problem.category not in categories:
        raise ConfigurationError(f"{path}: category '{problem.category}' is unknown; allowed: {', '.join(categories)}")
    return problem
