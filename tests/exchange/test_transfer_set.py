"""The transfer set: which prompts an exchange is about."""

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.exchange.transfer_set import TransferSet

X_U = TransferSet(load_bank().transfer)
IDS = list(X_U.problems)

shares = st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12).filter(lambda values: sum(values) > 0)


@given(st.integers(1, 128), st.sets(st.sampled_from(IDS)), shares, st.integers(0, 99))
def test_a_draw_fills_the_budget_with_distinct_lacking_prompts_first(budget: int, held: set[str], wish: list[float], seed: int) -> None:
    """Every exchange has the same size, asks for nothing twice, and for what is held only when nothing is lacking."""
    drawn = X_U.draw(budget, sorted(held), [value / sum(wish) for value in wish], np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn)) == budget
    lacking = len(IDS) - len(held)
    assert sum(key in held for key in drawn) == max(0, budget - lacking)


def test_without_a_curriculum_every_prompt_is_equally_likely() -> None:
    """The paper's draw: uniform, whatever is held already."""
    counts = Counter(key for seed in range(400) for key in X_U.draw(32, IDS[:64], (), np.random.default_rng(seed)))
    assert set(counts) == set(IDS)
    assert max(counts.values()) < 2 * min(counts.values())


def test_a_curriculum_gets_its_shares() -> None:
    """Half and half over two categories: the budget is split evenly between them."""
    wish = [0.0] * 12
    wish[3] = wish[8] = 0.5
    drawn = X_U.draw(12, [], wish, np.random.default_rng(0))
    assert Counter(X_U.problems[key].category for key in drawn) == {CATEGORIES[3]: 6, CATEGORIES[8]: 6}


@given(st.integers(1, 128), st.sets(st.sampled_from(IDS)), shares, st.sets(st.integers(0, 11), min_size=1, max_size=11), st.integers(0, 9))
def test_a_strict_draw_asks_for_nothing_without_a_share(budget: int, held: set[str], wish: list[float], none: set[int], seed: int) -> None:
    """Neither for what is lacking nor for what is held: the rest of the budget is not used."""
    wish = [0.0 if slot in none else value for slot, value in enumerate(wish)]
    wanted = [key for key, problem in X_U.problems.items() if wish[CATEGORIES.index(problem.category)] > 0.0]
    drawn = X_U.draw(budget, sorted(held), wish, np.random.default_rng(seed), strictly=True)
    assert set(drawn) <= set(wanted)
    assert len(drawn) == len(set(drawn)) == min(budget, len(wanted))


def test_coverage_is_the_share_held_in_each_category() -> None:
    """None held is 0, all held is 1, one whole category is 1 there and 0 elsewhere."""
    assert X_U.coverage([]).tolist() == [0.0] * 12
    assert X_U.coverage(IDS).tolist() == [1.0] * 12
    assert X_U.coverage(X_U.of_category("words")).tolist() == [float(name == "words") for name in CATEGORIES]


def test_the_digest_changes_with_any_text() -> None:
    """Both peers must hold the same set: another order or another problem is another digest."""
    problems = list(load_bank().transfer)
    assert TransferSet(problems).digest == X_U.digest
    assert len({TransferSet(few).digest for few in (problems, problems[1:], problems[::-1])}) == 3


def test_the_digest_covers_all_that_is_public_of_a_problem_and_nothing_else() -> None:
    """What answers are tested by and how needs are told, too; a solution is nobody else's business. No text runs into the next."""
    one = Problem("a", "words", "p", "s", "t", "f")
    changes = ({"task_id": "b"}, {"category": "mapping"}, {"prompt": "q"}, {"test": "u"}, {"entry_point": "g"})
    moved = [replace(one, prompt="p\0q", test=""), replace(one, prompt="p", test="q\0")]
    others = [replace(one, **change) for change in changes] + moved
    assert len({TransferSet([problem]).digest for problem in (one, *others)}) == 8
    assert TransferSet([one], ("words", "mapping")).digest != TransferSet([one], ("mapping", "words")).digest
    assert TransferSet([replace(one, solution="other")]).digest == TransferSet([one]).digest
