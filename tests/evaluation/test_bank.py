"""The embedded bank: what its splits promise to everybody who compares strategies on it."""

import ast
import itertools
from collections import Counter

import numpy as np
import pytest

from knexa.errors import ConfigurationError
from knexa.evaluation.bank.compose import skeleton
from knexa.evaluation.bank.splits import ALL_CATEGORIES, BANK_FILE, SHARES, load_bank, make_bank, write_bank
from knexa.evaluation.partition import category_histogram, dirichlet_partition
from knexa.evaluation.problems import CATEGORIES
from knexa.evaluation.sandbox import Check, Sandbox
from knexa.matching.context import divergence
from knexa.randomness import stream

BANK = load_bank()
SPLITS = {name: getattr(BANK, name) for name in SHARES}


def test_there_are_three_thousand_problems_in_twelve_categories() -> None:
    """At least 3,000 distinct problems; X_u has the paper's 128, the test split at least 240; all 12 categories in every split."""
    assert len({problem.prompt for problem in BANK.all()}) >= 3000
    assert len(BANK.transfer) == 128
    assert len(BANK.test) >= 240
    for name, problems in SPLITS.items():
        assert {problem.category for problem in problems} == set(CATEGORIES), name


def test_splits_are_disjoint_by_prompt_and_by_solution() -> None:
    """No prompt and no solution (names, docstrings and numbers masked) occurs in two splits."""
    for (one, problems), (other, others) in itertools.combinations(SPLITS.items(), 2):
        assert not {p.prompt for p in problems} & {p.prompt for p in others}, (one, other)
        masked = [{skeleton(p.prompt + p.solution) for p in split} for split in (problems, others)]
        assert not masked[0] & masked[1], (one, other)


def test_every_problem_has_at_least_five_cases_with_edges() -> None:
    """Five or more assertions a problem; the first inputs are edge cases (empty, zero, one)."""
    for problem in BANK.all():
        cases = problem.test.count("assert candidate(")
        assert cases >= 5, problem.task_id
        first = problem.test.split("assert candidate(")[1]
        assert first.startswith(("[]", "''", "0)", "1)", "[5]", "'moon'", "'a'", "7)", "[4]")), problem.task_id


def test_the_base_split_and_the_others_share_only_common_operations() -> None:
    """What agents teach each other was never shown to a base solved correctly; what a base learned beside it is not asked again."""
    schooled = {(category.name, op.name) for category in ALL_CATEGORIES for op in category.schooled}
    operations = {(category.name, op.name) for category in ALL_CATEGORIES for op in category.operations}
    assert {(problem.category, problem.entry_point) for problem in BANK.base} <= schooled
    for name in ("private", "transfer", "test"):
        assert {(problem.category, problem.entry_point) for problem in SPLITS[name]} == operations, name


def test_the_shipped_file_is_what_the_templates_make(tmp_path) -> None:
    """problems.jsonl.gz is not edited by hand: composing the bank anew gives the same bytes."""
    write_bank(make_bank(), tmp_path / "bank")
    assert (tmp_path / "bank").read_bytes() == BANK_FILE.read_bytes()


def test_canonical_solutions_pass_and_empty_bodies_fail() -> None:
    """In the sandbox, every tenth problem's solution passes; `pass` never does; each step that is left out is noticed."""
    chosen = BANK.all()[::10]
    with Sandbox() as sandbox:
        verdicts = sandbox.run([Check.of(problem, problem.solution) for problem in chosen])
        empty = sandbox.run([Check.of(problem, "    pass\n") for problem in chosen])
    assert [problem.task_id for problem, verdict in zip(chosen, verdicts, strict=True) if not verdict.passed] == []
    assert [problem.task_id for problem, verdict in zip(chosen, empty, strict=True) if verdict.passed] == []


def test_a_solution_without_its_first_step_fails() -> None:
    """Tests tell steps apart: dropping the first line of a body of several lines never passes."""
    longer = [p for p in BANK.test if len(ast.parse("def f():\n" + p.solution).body[0].body) > 1]  # type: ignore[attr-defined]
    assert len(longer) > 100
    with Sandbox() as sandbox:
        verdicts = sandbox.run([Check.of(p, p.solution.split("\n", 1)[1]) for p in longer])
    assert [p.task_id for p, verdict in zip(longer, verdicts, strict=True) if verdict.passed] == []


def _mean_divergence(alpha: float) -> float:
    values = []
    for seed in range(10):
        dealt = dirichlet_partition(BANK.private, 6, alpha, 1, stream(seed, "test"))
        js = divergence(np.stack([category_histogram(problems) for problems in dealt]))
        values.append(np.sqrt(js[~np.eye(6, dtype=bool)]).mean())
    return float(np.mean(values))


def test_small_alpha_is_non_iid_and_large_alpha_is_iid() -> None:
    """Mean pairwise square root of the Jensen-Shannon divergence: at least 0.5 at alpha 0.1, at most 0.2 at alpha 100."""
    assert _mean_divergence(0.1) >= 0.5
    assert _mean_divergence(100.0) <= 0.2


def test_a_partition_deals_every_problem_exactly_once() -> None:
    """Nothing is lost or doubled, and everybody gets the minimum."""
    dealt = dirichlet_partition(BANK.private, 6, 0.1, 60, stream(3, "test"))
    counts = Counter(problem.task_id for problems in dealt for problem in problems)
    assert set(counts.values()) == {1}
    assert len(counts) == len(BANK.private)
    assert min(map(len, dealt)) >= 60


def test_an_impossible_minimum_is_refused_by_name() -> None:
    """The error names the key and what to change."""
    with pytest.raises(ConfigurationError, match=r"data\.minimum"):
        dirichlet_partition(BANK.private[:100], 6, 0.1, 50, stream(0, "test"))
