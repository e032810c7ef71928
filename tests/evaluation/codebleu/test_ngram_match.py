"""BLEU and the weighted recall, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.codebleu.ngram_match import bleu, ngrams, weighted_recall

words = st.lists(st.sampled_from(["if", "return", "x", "y", "="]), max_size=12)


def test_bleu_by_hand() -> None:
    """Five words of six in order: 5/5, 4/4, 3/3, 2/2 of the candidate's n-grams, and a brevity penalty of exp(1 - 6/5)."""
    reference = ngrams(["return", "x", "if", "y", "else", "z"])
    assert bleu(reference, ngrams(["return", "x", "if", "y", "else"])) == pytest.approx(math.exp(1 - 6 / 5))
    mixed = bleu(reference, ngrams(["return", "x", "if", "z", "else", "y"]))
    assert mixed == pytest.approx(((6 / 6) * (2 / 5) * (1 / 4) * (0.1 / 3)) ** 0.25)


def test_a_missing_keyword_costs_five_times_a_missing_name() -> None:
    """The reference's words weigh 1 and .2; its other n-grams count as they are."""
    reference = ngrams(["return", "x"])
    assert weighted_recall(reference, ngrams(["return", "y"])) == pytest.approx((1 / 1.2 * 0.1**3) ** 0.25)
    assert weighted_recall(reference, ngrams(["pass", "x"])) == pytest.approx((0.2 / 1.2 * 0.1**3) ** 0.25)


@given(reference=words, candidate=words)
def test_both_are_shares_and_zero_without_a_common_word(reference: list[str], candidate: list[str]) -> None:
    """For any words, also for none."""
    for score in (bleu, weighted_recall):
        found = score(ngrams(reference), ngrams(candidate))
        assert 0.0 <= found <= 1.0
        assert (found == 0.0) == (not set(reference) & set(candidate))
