"""How texts are compared with canonical solutions."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.codebleu import codebleu
from knexa.participant.measure import likeness, unindented

PROBLEMS = load_bank().test[:6]
SOLUTIONS = [problem.solution for problem in PROBLEMS]


def test_the_canonical_solution_is_most_like_itself() -> None:
    """Right answers score higher than the same answers to other problems, and these higher than nothing."""
    assert likeness(PROBLEMS, SOLUTIONS) > likeness(PROBLEMS, SOLUTIONS[::-1]) > likeness(PROBLEMS, [""] * 6)


def test_problems_without_a_solution_are_left_out() -> None:
    """They change no mean, and without any solution there is none."""
    unknown = [replace(problem, solution="") for problem in PROBLEMS]
    assert likeness([*PROBLEMS, *unknown], [*SOLUTIONS[::-1], *SOLUTIONS]) == likeness(PROBLEMS, SOLUTIONS[::-1])
    assert likeness(unknown, SOLUTIONS) is None


def test_bodies_are_compared_as_programs() -> None:
    """Without their indentation, since an indented text is no program; neither prompt counts."""
    first = PROBLEMS[0]
    other = SOLUTIONS[1]
    assert likeness([first], [other]) == codebleu(textwrap.dedent(first.solution), textwrap.dedent(other)).score


@pytest.mark.parametrize(
    ("body", "program"),
    [
        ("    x = 1\n    if x:\n        return x\n", "x = 1\nif x:\n    return x\n"),
        ("\n    x = 1\nprint(x)", "\nx = 1\nprint(x)"),
        ("\tx = 1\n\t\ty = 2", "x = 1\n\ty = 2"),
        ("x = 1\n    y", "x = 1\n    y"),
        ("", ""),
        ("   \n", "   \n"),
    ],
)
def test_the_first_lines_indentation_goes(body: str, program: str) -> None:
    """From every line that has it; what a model wrote behind the body stays where it is."""
    assert unindented(body) == program
