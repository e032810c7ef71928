from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from knexa.config import DataConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.problem_sets import load_splits
from knexa.evaluation.problems import CATEGORIES

MBPP = Path(__file__).parents[2] / "../shared/data/mbpp.jsonl"


def _rows(count: int) -> list[dict[str, Any]]:
    """Problems that differ in a constant of the program, without categories."""
    return [
        {
            "task_id": f"t/{n}",
            "prompt": f'def plus(x):\n    """Add {n} to the number x."""\n',
            "canonical_solution": f"    return x + {n}\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
            "entry_point": "plus",
        }
        for n in range(count)
    ]


def _file(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_embedded_bank_is_the_default() -> None:
    """Its own splits, whatever the seed."""
    assert load_splits(DataConfig(), 1) is load_splits(DataConfig(), 2) is load_bank()


def test_a_file_without_categories_gets_them(tmp_path: Path) -> None:
    """Every problem of every split has one of the 12."""
    splits = load_splits(DataConfig(problems=_file(tmp_path / "mine.jsonl", _rows(120))), 3)
    assert {problem.category for problem in (*splits.private, *splits.test)} == {"arithmetic"}
    assert splits.notes == ()


def test_copies_in_a_file_are_left_out_and_told(tmp_path: Path) -> None:
    """The same program under another prompt is no second problem."""
    copies = [row | {"task_id": f"copy/{n}", "prompt": row["prompt"].replace("Add", "Count")} for n, row in enumerate(_rows(7))]
    path = _file(tmp_path / "mine.jsonl", [*_rows(120), *copies])
    splits = load_splits(DataConfig(problems=path), 3)
    assert splits.notes == (f"{path}: 7 rows are left out, since an earlier row has the same prompt or the same program",)


@pytest.mark.skipif(not MBPP.is_file(), reason="MBPP is not there: put mbpp.jsonl into ../shared/data")
def test_a_file_in_the_form_of_mbpp_is_a_problem_file_too() -> None:
    """Its first row tells."""
    splits = load_splits(DataConfig(problems=str(MBPP)), 3)
    assert len(splits.transfer) == 93
    assert {problem.category for problem in splits.private} == set(CATEGORIES)


def test_the_papers_tasks_need_the_file_of_mbpp() -> None:
    """The preset names the tasks; the file only the user can name, and the error says so."""
    data = load_config(preset="paper").data
    with pytest.raises(ConfigurationError, match=r"data.mbpp: data.problems = 'human-eval\+mbpp' needs the path of mbpp.jsonl"):
        load_splits(data, 42)


def test_a_file_of_mbpp_that_nothing_reads_is_a_mistake(tmp_path: Path) -> None:
    """No option is silently ignored."""
    path = _file(tmp_path / "mbpp.jsonl", [])
    with pytest.raises(ConfigurationError, match=r"--set data.mbpp: found .*; allowed: an existing file, where data.problems ="):
        load_config(sets=[f"data.mbpp={path}"])
