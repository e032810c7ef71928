from __future__ import annotations

from dataclasses import replace

import pytest

from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.splits import FILE_SHARES, PUBLIC_SHARES, SPLITS, Splits, evenly, require_disjoint, split_by_shares

BANK = load_bank()
EMPTY = Splits(private=(), validation=(), transfer=(), probe=(), test=())


def test_a_problem_in_two_splits_is_refused() -> None:
    """Also with another prompt, name and variables: what counts is the program."""
    problem = replace(BANK.test[0], prompt='def inc(n):\n    """Add one."""\n', solution="    return n + 1\n")
    copy = replace(problem, task_id="copy", prompt='def next_of(m):\n    """The number after m."""\n', solution="    return m + 1\n")
    same_prompt = replace(problem, task_id="copy", solution="    return 1 + n\n")
    for other, what in ((same_prompt, "prompt"), (copy, "program")):
        with pytest.raises(ConfigurationError, match=f"not disjoint: .* of test and .* of private have the same {what}"):
            require_disjoint(replace(EMPTY, private=(other,), test=(problem,)))


def test_the_embedded_bank_is_disjoint() -> None:
    """By prompt and by program up to names, like every other set."""
    assert require_disjoint(BANK) is BANK


def test_a_file_is_split_once_and_completely() -> None:
    """Every problem is in one split, the same for one seed, another for another."""
    problems = BANK.private[::4]
    one, again, other = (split_by_shares("mine.jsonl", problems, seed, FILE_SHARES) for seed in (1, 1, 2))
    assert one == again != other
    groups = one.groups()
    assert sorted(p.task_id for group in groups.values() for p in group) == sorted(p.task_id for p in problems)
    assert [len(groups[name]) for name in SPLITS] == [183, 16, 33, 16, 82]


def test_a_file_for_public_splits_only_leaves_nothing_private() -> None:
    """Where agents bring their own files: what is not transfer set, probe or validation is the test split."""
    splits = split_by_shares("mine.jsonl", BANK.private[::4], 1, PUBLIC_SHARES)
    assert [len(group) for group in splits.groups().values()] == [0, 33, 115, 49, 133]


def test_a_handful_of_problems_is_not_split() -> None:
    """A sentence with file, count and need."""
    with pytest.raises(ConfigurationError, match=r"mine.jsonl: 99 different problems; at least 100"):
        split_by_shares("mine.jsonl", BANK.private[:99], 1, FILE_SHARES)


def test_an_even_choice_takes_from_every_category_what_there_is() -> None:
    """Two of each of two categories, and the only one of a third."""
    named = [replace(BANK.test[0], task_id=str(place), category=name) for place, name in enumerate("aaaaabbbbbc")]
    assert [problem.category for problem in evenly(named, 5)] == ["a", "b", "c", "a", "b"]
