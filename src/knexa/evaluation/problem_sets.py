"""Where problems come from: what ``data.problems`` may name, resolved into splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from knexa.config import HUMAN_EVAL_MBPP, DataConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.classifier import category_of
from knexa.evaluation.human_eval_mbpp import human_eval_mbpp
from knexa.evaluation.normal_form import distinct
from knexa.evaluation.problem_files import UNCATEGORISED, load_problems
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.evaluation.splits import Splits, split_by_shares


def load_splits(data: DataConfig, seed: int) -> Splits:
    """The problems that ``data`` names, split; the same for every strategy of one seed. Raises ConfigurationError."""
    if data.problems == "embedded":
        return load_bank()
    if data.problems == HUMAN_EVAL_MBPP:
        if data.mbpp is None:
            raise ConfigurationError(f"data.mbpp: data.problems = '{HUMAN_EVAL_MBPP}' needs the path of mbpp.jsonl (974 rows, CC BY 4.0)")
        return human_eval_mbpp(Path(data.mbpp), seed)
    return _of_file(Path(data.problems), seed)


def _of_file(path: Path, seed: int) -> Splits:
    kept, left_out = distinct(_categorised(path, problem) for problem in load_problems(path))
    note = f"{path}: {len(left_out)} problems are left out, since another has the same prompt or the same program"
    return split_by_shares(str(path), kept, seed, [note] if left_out else [])


def _categorised(path: Path, problem: Problem) -> Problem:
    """``problem`` with the classifier's category, where its row names none."""
    if problem.category == UNCATEGORISED:
        return replace(problem, category=category_of(problem))
    if problem.category not in CATEGORIES:
        raise ConfigurationError(f"{path}: category '{problem.category}' is unknown; allowed: {', '.join(CATEGORIES)}")
    return problem
