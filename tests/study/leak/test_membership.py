"""Membership inference: what chance is, what certainty is, and what a likeness counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.study.leak.membership import Likeness, auc, auc_interval

SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=20)


@given(SCORES, SCORES)
def test_auc_is_the_share_of_pairs_in_order(members: list[float], others: list[float]) -> None:
    """Ties count half; turned round it is what is missing to 1."""
    pairs = [1.0 if one > other else 0.5 if one == other else 0.0 for one in members for other in others]
    assert auc(members, others) == pytest.approx(float(np.mean(pairs)))
    assert auc(others, members) == pytest.approx(1 - auc(members, others))


def test_the_interval_holds_chance_where_nothing_tells_and_not_where_something_does() -> None:
    """Two agents, sixty texts each; an agent without non-members is left out."""
    rng = np.random.default_rng(0)
    same = [list(rng.normal(size=60)) for _ in range(4)]
    blind = auc_interval(same[:2], same[2:], rng)
    assert blind.low < 0.5 < blind.high
    seeing = auc_interval([*[[one + 1.5 for one in scores] for scores in same[:2]], [1.0]], [*same[2:], []], rng)
    assert seeing.low > 0.6
    assert seeing.count == 2
    with pytest.raises(ValueError, match="nothing can be told apart"):
        auc_interval([[1.0]], [[]], rng)


def test_likeness_is_the_largest_share_of_runs_in_one_text() -> None:
    """A copy has 1, a stranger 0, half of a text about half; two halves in two texts do not add up."""
    whole = "return sum(x for x in values if x % 3 == 0)"
    assert Likeness(["print(1)", whole])(whole) == 1.0
    assert Likeness(["a completely other thing altogether"])(whole) == 0.0
    first, second = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    halves = Likeness([first, second])(whole)
    assert 0.2 < halves < 0.6
    assert Likeness([whole])("x") == 0.0
