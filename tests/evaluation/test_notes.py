from __future__ import annotations

import json
from collections import Counter

from knexa.config import DataConfig
from knexa.evaluation.notes import NOTES_FILE
from knexa.evaluation.notes.make import EACH, notes
from knexa.evaluation.notes.tables import KINDS
from knexa.evaluation.problem_sets import load_splits


def test_the_shipped_notes_are_what_the_script_makes() -> None:
    """To the byte."""
    assert NOTES_FILE.read_text() == notes()


def test_no_note_is_there_twice_and_every_kind_as_often_as_the_others() -> None:
    """So that splits can be disjoint, and no category is scarce."""
    rows = [json.loads(line) for line in NOTES_FILE.read_text().splitlines()]
    assert len({row["prompt"] for row in rows}) == len({row["completion"] for row in rows}) == len(rows) == 12 * EACH
    assert Counter(row["category"] for row in rows) == {kind.name: EACH for kind in KINDS}


def test_the_notes_keep_their_own_categories() -> None:
    """Twelve names of the file, sorted; every split has problems of all, and nothing can be run."""
    splits = load_splits(DataConfig(problems="notes"), 1)
    assert splits.categories == tuple(sorted(kind.name for kind in KINDS))
    for name, group in splits.groups().items():
        assert {problem.category for problem in group} == set(splits.categories), name
        assert not any(problem.runnable for problem in group)
