"""The curriculum: how a prompt budget is spread over categories."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from knexa.matching import CATEGORY_COUNT, Profile, family_block
from knexa.matching.curriculum import ahead, curriculum

ZEROS = (0.0,) * CATEGORY_COUNT
PLAIN = Profile("a", 1, family_block("gpt2"), ZEROS, (1.0, *ZEROS[1:]))

shares = st.tuples(*[st.floats(0, 1)] * CATEGORY_COUNT)


def able_in(*categories: int) -> tuple[float, ...]:
    return tuple(1.0 if category in categories else 0.0 for category in range(CATEGORY_COUNT))


@given(shares, shares, shares)
def test_a_curriculum_is_twelve_shares_that_sum_to_one(
    teacher: tuple[float, ...], student: tuple[float, ...], held: tuple[float, ...]
) -> None:
    """Whatever the profiles say."""
    spread = curriculum(replace(PLAIN, probe=teacher), replace(PLAIN, probe=student, coverage=held))
    assert len(spread) == CATEGORY_COUNT
    assert min(spread) >= 0.0
    assert sum(spread) == pytest.approx(1.0)


def test_without_a_probe_every_category_gets_the_same() -> None:
    """The extension off (all zeros) falls back to uniform, as does a student that holds everything."""
    uniform = pytest.approx([1 / CATEGORY_COUNT] * CATEGORY_COUNT)
    assert curriculum(PLAIN, PLAIN) == uniform
    assert curriculum(replace(PLAIN, probe=able_in(3)), replace(PLAIN, coverage=(1.0,) * CATEGORY_COUNT)) == uniform


def test_most_prompts_go_where_the_teacher_is_able_and_the_student_is_not() -> None:
    """A specialist of two categories teaches the one its student lacks, for most of the budget."""
    spread = curriculum(replace(PLAIN, probe=able_in(2, 5)), replace(PLAIN, probe=able_in(5)))
    assert spread.index(max(spread)) == 2
    assert spread[2] > 0.75


def test_a_category_failed_on_a_small_probe_keeps_a_little() -> None:
    """0 of 5 does not prove that a teacher knows nothing: no share is exactly zero while there is something to learn."""
    spread = curriculum(replace(PLAIN, probe=able_in(2)), PLAIN)
    assert min(spread) > 0.0


@given(shares, shares, shares)
def test_only_where_the_teacher_is_better_it_is_asked(
    teacher: tuple[float, ...], student: tuple[float, ...], held: tuple[float, ...]
) -> None:
    """Twelve shares that sum to one, none where its score is not higher; in proportion as without the restriction."""
    good, pupil = replace(PLAIN, probe=teacher), replace(PLAIN, probe=student, coverage=held)
    better = [mine > theirs for mine, theirs in zip(teacher, student, strict=True)]
    assert ahead([good], [pupil])[0, 0].tolist() == better
    assume(any(better))
    spread = curriculum(good, pupil, only_better=True)
    assert sum(spread) == pytest.approx(1.0)
    assert all(share == 0.0 for share, ahead_there in zip(spread, better, strict=True) if not ahead_there)
    usual = curriculum(good, pupil)
    weight = sum(share for share, ahead_there in zip(usual, better, strict=True) if ahead_there)
    lacks = any(ahead_there and one < 1.0 for ahead_there, one in zip(better, held, strict=True))
    if lacks:
        there = [share / weight if ahead_there else 0.0 for share, ahead_there in zip(usual, better, strict=True)]
        assert spread == pytest.approx(there)


def test_the_more_of_a_category_a_student_holds_the_less_of_it_is_taught() -> None:
    """The budget moves on as memory fills, and leaves a category that is full."""
    teacher = replace(PLAIN, probe=able_in(2, 5))
    shares_of_2 = [curriculum(teacher, replace(PLAIN, coverage=(*ZEROS[:2], held, *ZEROS[3:])))[2] for held in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert shares_of_2 == sorted(shares_of_2, reverse=True)
    assert shares_of_2[-1] == 0.0
