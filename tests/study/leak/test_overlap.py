"""Runs of private tokens: counted for what they are, whatever words stand in them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.study.leak.overlap import OwnRuns

IDIOM = "result = []\nfor value in values:\n    if value % 2 == 0:\n        result.append(value + 1)\nreturn result\n"
WORDS = ("a", "b", "c", "+", "(")


def test_a_run_counts_without_a_word_that_is_rare() -> None:
    """Every word of it stands in public texts; the run does not."""
    words = IDIOM.split()
    public = [" ".join(random.Random(seed).sample(words, len(words))) for seed in range(3)]
    assert OwnRuns([IDIOM], public, 12).held_by("x = 0\n" + IDIOM)
    assert not OwnRuns([IDIOM], [*public, "def f(values):\n" + IDIOM], 12).held_by("x = 0\n" + IDIOM)


def test_comments_and_whitespace_are_nothing() -> None:
    """Neither hides a run nor makes one."""
    own = OwnRuns(["# a b c d e f g h\n" + IDIOM], [], 12)
    assert own.held_by(IDIOM.replace("\n", "  # so it goes\n\n"))
    assert not own.held_by("# " + IDIOM.replace("\n", " "))


@pytest.mark.parametrize("length", [2, 3, 5])
@given(texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=3, max_size=6))
def test_the_count_is_that_of_the_definition(length: int, texts: list[str]) -> None:
    """A run of the text is a run of a private one and of no public one."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[place : place + length]) for place in range(len(words) - length + 1)}

    text, public, *private = texts
    expected = bool(runs(text) & set().union(*map(runs, private)) - runs(public))
    assert OwnRuns(private, [public], length).held_by(text) == expected
