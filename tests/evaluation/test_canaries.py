"""Canaries stand in private data as often as they say, in its form, and nowhere else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from knexa.config import load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.canaries import draw_canaries, draw_phrase
from knexa.evaluation.problems import Problem
from knexa.participant.data import federation_data

PROGRAM = Problem("p/1", "words", "def f():\n", "    return 1\n", "def check(c):\n    assert c() == 1\n", "f")
NOTE = Problem("n/1", "billing", "A note:", " text", "", "")


def test_a_program_holds_its_phrase_and_a_note_ends_with_it() -> None:
    """A program's own test passes with it, and with no other phrase."""
    (program,) = draw_canaries(1, (1,), [PROGRAM], np.random.default_rng(1))
    prompt, solution = program.with_phrase(program.phrase)
    assert (prompt, solution) == (program.problem.prompt, program.problem.solution)
    namespace: dict[str, object] = {}
    exec(prompt + solution + program.problem.test, namespace)
    namespace["check"](namespace[program.problem.entry_point])  # type: ignore[operator]
    with pytest.raises(AssertionError):
        namespace["check"](lambda: draw_phrase(np.random.default_rng(2)))  # type: ignore[operator]
    (note,) = draw_canaries(1, (1,), [NOTE], np.random.default_rng(1))
    assert note.problem.solution.endswith(note.phrase)
    assert not note.problem.runnable


def test_every_agent_has_its_own_as_often_as_asked() -> None:
    """Repeats in turn; held-out, public and test data have none; the rest of the private data is as it was."""
    settings = load_config(None, sets=["data.canaries=5", "data.canary_repeats=[1,4]"])
    planted, plain = federation_data(settings), federation_data(load_config(None))
    phrases = set()
    for name, data in planted.private.items():
        counts = Counter(problem.task_id for problem in data.train if problem.task_id.startswith("canary/"))
        assert [counts[one.problem.task_id] for one in data.canaries] == [1, 4, 1, 4, 1]
        assert data.train[: len(plain.private[name].train)] == plain.private[name].train
        assert data.validation == plain.private[name].validation
        phrases |= {one.phrase for one in data.canaries}
    assert len(phrases) == 30
    public = [*planted.transfer_set.problems.values(), *planted.probe, *planted.curve, *planted.test]
    assert not any(phrase in problem.prompt + problem.solution for problem in public for phrase in phrases)


def test_a_canary_stands_somewhere_at_least_once() -> None:
    with pytest.raises(ConfigurationError, match=r"data\.canary_repeats"):
        load_config(None, sets=["data.canary_repeats=[0]"])
