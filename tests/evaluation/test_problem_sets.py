from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from knexa.config import DataConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.problem_sets import load_own, load_splits
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


def _texts(count: int, **more: str) -> list[dict[str, Any]]:
    return [{"prompt": f"note {n} about {'the heart' if n % 2 else 'a loan'}", "completion": "yes", **more} for n in range(count)]


def test_texts_without_categories_get_topics_of_the_transfer_set(tmp_path: Path) -> None:
    """At most 12, the same for all splits, and for an agent's own rows."""
    splits = load_splits(DataConfig(problems=_file(tmp_path / "mine.jsonl", _texts(300))), 3)
    assert splits.categories == splits.topics.names if splits.topics else False
    assert {problem.category for group in splits.groups().values() for problem in group} <= set(splits.categories)
    own, _ = load_own(Path(_file(tmp_path / "own.jsonl", [{"prompt": "the heart again", "completion": "no"}])), splits)
    odd = next(problem for problem in splits.transfer if "heart" in problem.prompt)
    assert own[0].category == odd.category


def test_categories_are_free_words_for_texts_and_at_most_twelve(tmp_path: Path) -> None:
    """Sorted by name; a thirteenth is refused, and so is a row that names none among rows that do."""
    rows = [row | {"category": f"ward {n % 3}"} for n, row in enumerate(_texts(150))]
    assert load_splits(DataConfig(problems=_file(tmp_path / "a.jsonl", rows)), 3).categories == ("ward 0", "ward 1", "ward 2")
    many = [row | {"category": f"ward {n % 13}"} for n, row in enumerate(_texts(150))]
    with pytest.raises(ConfigurationError, match=r"b.jsonl: 13 different categories; at most 12"):
        load_splits(DataConfig(problems=_file(tmp_path / "b.jsonl", many)), 3)
    with pytest.raises(ConfigurationError, match=r"c.jsonl: row/151 names no category, others do"):
        load_splits(DataConfig(problems=_file(tmp_path / "c.jsonl", [*rows, *_texts(151)[150:]])), 3)


def test_equal_answers_to_different_questions_are_not_copies(tmp_path: Path) -> None:
    """All rows say yes; only a prompt that was there before is one too many."""
    rows = [*_texts(150), {"prompt": "note  7 about the heart", "completion": "no"}]
    splits = load_splits(DataConfig(problems=_file(tmp_path / "a.jsonl", rows)), 3)
    assert sum(map(len, splits.groups().values())) == 150
    assert len(splits.notes) == 1


def test_an_agents_own_rows_are_told_apart_from_public_ones(tmp_path: Path) -> None:
    """What stands in a public split is left out with a count; a category that the federation does not have is refused."""
    public = [row | {"category": "ward"} for row in _texts(150)]
    splits = load_splits(DataConfig(problems=_file(tmp_path / "public.jsonl", public)), 3, own_files=True)
    assert not splits.private
    own = Path(_file(tmp_path / "own.jsonl", [*public[:20], {"prompt": "mine alone", "completion": "no", "category": "ward"}]))
    problems, notes = load_own(own, splits)
    assert [problem.prompt for problem in problems] == ["mine alone\n"]
    assert notes == (f"{own}: 20 rows are left out, since they also stand in the transfer set or another public split",)
    other = Path(_file(tmp_path / "other.jsonl", [{"prompt": "mine alone", "completion": "no", "category": "cellar"}]))
    with pytest.raises(ConfigurationError, match=r"other.jsonl: category 'cellar' is unknown; allowed: ward"):
        load_own(other, splits)
