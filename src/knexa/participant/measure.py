"""How an agent is measured: Pass@1 and losses on its own data and the probe (private business), Pass@k and CodeBLEU on the test split."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from knexa.config import EvaluationConfig, GenerationConfig
from knexa.evaluation.codebleu import mean_codebleu
from knexa.evaluation.pass_at_k import mean_pass_at_k
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.evaluation.sandbox import Check, Sandbox
from knexa.events import finite
from knexa.learning.generation import Completion
from knexa.learning.learner import Learner, Text
from knexa.matching.profile import METRIC_BOUND


class Checker:
    """Verdicts of the sandbox, remembered by content: equal programs for one problem are run once.

    Small models repeat themselves a lot, between samples and between rounds.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[tuple[str, str], bool] = {}

    def passed(self, problems: Sequence[Problem], completions: Sequence[str]) -> np.ndarray:
        """For each problem and its completion, whether the tests pass: bool [len(problems)]."""
        keys = [(problem.prompt + completion, problem.test) for problem, completion in zip(problems, completions, strict=True)]
        fresh = {
            key: Check.of(problem, text) for key, problem, text in zip(keys, problems, completions, strict=True) if key not in self._known
        }
        for key, verdict in zip(fresh, self._sandbox.run(list(fresh.values())), strict=True):
            self._known[key] = verdict.passed
        return np.array([self._known[key] for key in keys], dtype=bool)


def texts_of(problems: Sequence[Problem]) -> list[Text]:
    """Prompt and canonical solution of each problem: what is learned, and what a loss is measured on."""
    return [(problem.prompt, problem.solution) for problem in problems]


def solved(
    learner: Learner, checker: Checker, problems: Sequence[Problem], generation: GenerationConfig
) -> tuple[np.ndarray, list[Completion]]:
    """Greedy answers of the loaded agent, and which of them pass: bool [len(problems)]."""
    answers = [few[0] for few in learner.answer([p.prompt for p in problems], max_new_tokens=generation.max_new_tokens)]
    return checker.passed(problems, [answer.text for answer in answers]), answers


def by_category(problems: Sequence[Problem], values: np.ndarray) -> np.ndarray:
    """Mean of ``values`` [len(problems)] in each category: [12], 0 where there is no problem."""
    index = np.array([CATEGORIES.index(problem.category) for problem in problems])
    counts = np.bincount(index, minlength=len(CATEGORIES))
    sums = np.bincount(index, weights=values.astype(float), minlength=len(CATEGORIES))
    return np.divide(sums, counts, out=np.zeros(len(CATEGORIES)), where=counts > 0)


def validation_metrics(
    problems: Sequence[Problem], passed: np.ndarray, answers: Sequence[Completion], loss: float, train_loss: float
) -> dict[str, float]:
    """The six measured metrics of a profile on an agent's own validation problems. CodeBLEU is 0 where no problem has a solution.

    ``passed`` bool [len(problems)]; ``loss`` and ``train_loss`` in nats a token.
    """
    texts = [answer.text for answer in answers]
    compiles = [_compiles(problem.prompt + text) for problem, text in zip(problems, texts, strict=True)]
    return {
        "pass@1": float(passed.mean()),
        "codebleu": likeness(problems, texts) or 0.0,
        "perplexity": perplexity(loss),
        "loss": min(loss, METRIC_BOUND),
        "train_loss": train_loss,
        "syntax_ok": float(np.mean(compiles)),
    }


def likeness(problems: Sequence[Problem], completions: Sequence[str]) -> float | None:
    """Mean CodeBLEU of the completions against the canonical solutions; None if no problem has one, and those that have none left out.

    Bodies are compared with bodies. The prompt stands before both, so its words, most of them its docstring's, would match for nothing.
    """
    known = [(problem.solution, text) for problem, text in zip(problems, completions, strict=True) if problem.solution.strip()]
    if not known:
        return None
    return mean_codebleu([unindented(solution) for solution, _ in known], [unindented(text) for _, text in known])


def unindented(body: str) -> str:
    """A function's body as a program: every line less the indentation of the first that is not blank, if it has that."""
    lines = body.split("\n")
    first = next((line for line in lines if line.strip()), "")
    margin = first[: len(first) - len(first.lstrip())]
    return "\n".join([line.removeprefix(margin) for line in lines])


def perplexity(loss: float) -> float:
    """exp(loss), cut to the largest metric a profile may hold."""
    return min(math.exp(min(loss, 700.0)), METRIC_BOUND)


def greedy_scores(learner: Learner, checker: Checker, problems: Sequence[Problem], generation: GenerationConfig) -> dict[str, Any]:
    """Pass@1 of greedy answers, by category too: the fields of an ``evaluation`` event in between."""
    passed, _ = solved(learner, checker, problems, generation)
    return _fields(problems, {"pass@1": float(passed.mean())}, passed.astype(float), 1, learner.loss(texts_of(problems)))


def sampled_scores(
    learner: Learner, checker: Checker, problems: Sequence[Problem], generation: GenerationConfig, evaluation: EvaluationConfig, seed: int
) -> dict[str, Any]:
    """Unbiased Pass@k from n samples at temperature, and their CodeBLEU: the fields of a final ``evaluation`` event."""
    answers = learner.answer(
        [problem.prompt for problem in problems],
        max_new_tokens=generation.max_new_tokens,
        temperature=evaluation.temperature,
        samples=evaluation.samples,
        seed=seed,
    )
    repeated = [problem for problem in problems for _ in range(evaluation.samples)]
    texts = [answer.text for few in answers for answer in few]
    passed = checker.passed(repeated, texts)
    correct = passed.reshape(len(problems), evaluation.samples).sum(axis=1)
    scores = {f"pass@{k}": mean_pass_at_k(evaluation.samples, correct, k) for k in evaluation.k}
    if (like := likeness(repeated, texts)) is not None:
        scores["codebleu"] = like
    return _fields(problems, scores, correct / evaluation.samples, evaluation.samples, learner.loss(texts_of(problems)))


def _fields(problems: Sequence[Problem], scores: dict[str, float], rates: np.ndarray, samples: int, loss: float) -> dict[str, Any]:
    return {
        "problems": len(problems),
        "samples": samples,
        "scores": scores,
        "by_category": dict(zip(CATEGORIES, map(float, by_category(problems, rates)), strict=True)),
        "loss": finite(loss),
        "perplexity": finite(perplexity(loss)),
    }


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape that is none: the text is a model's, and nobody will mend it
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what ast.parse may raise for arbitrary text
        return False
    return True
