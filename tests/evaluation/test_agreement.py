"""Agreement among texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.agreement import most_agreed, word_f1

texts = st.lists(st.sampled_from(["high", "low", "blood", "pressure", "is"]), max_size=6).map(" ".join)


@given(texts, texts)
def test_word_f1_is_symmetric_and_one_for_equal_words_only(one: str, other: str) -> None:
    """In any order, but as often."""
    assert 0.0 <= word_f1(one, other) == word_f1(other, one) <= 1.0
    assert (word_f1(one, other) == 1.0) == (sorted(one.split()) == sorted(other.split()))


def test_word_f1_by_hand() -> None:
    """Two of three words and two of four in common: 4/7; nothing in common: 0."""
    assert word_f1("blood pressure high", "blood pressure is low") == pytest.approx(4 / 7)
    assert word_f1("high", "low") == word_f1("", "low") == 0.0


@given(st.lists(texts, min_size=1, max_size=2))
def test_of_two_the_last_is_taken(few: list[str]) -> None:
    """Two texts agree as much with each other: neither can be preferred, so the newer one stays."""
    assert most_agreed(few) == len(few) - 1


@given(st.permutations(["blood pressure is high", "blood pressure is very high", "pressure of blood is high", "the dog barks"]))
def test_the_odd_one_out_is_not_taken(four: list[str]) -> None:
    """Wherever it stands."""
    assert four[most_agreed(four)] != "the dog barks"
