"""How an agent is measured: Pass@1 and losses on its own data and the probe (private business), Pass@k and CodeBLEU on the test split.

Where a problem has no test to run, an answer is right if it equals the reference up to whitespace: exact match.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from knexa.config import EvaluationConfig, GenerationConfig
from knexa.evaluation.codebleu import mean_codebleu
from knexa.evaluation.pass_at_k import mean_pass_at_k
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.evaluation.sandbox import Check, Sandbox
from knexa.events import finite
from knexa.learning.generation import STOP_STRINGS, Completion
from knexa.learning.learner import Learner, Text
from knexa.matching.profile import METRIC_BOUND


class Checker:
    """Verdicts of the sandbox, remembered by content: equal programs for one problem are run once.

    Small models repeat themselves a lot, between samples and between rounds. A check that stalled is tried once more, by when the
    rest of its batch no longer competes for the processor; one that stalls again counts as no pass, but only this time. (Without
    the second try, a busy machine would change a result; with more, a program that naps could hold up a student for long.)
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[tuple[str, str], bool] = {}

    def passed(self, problems: Sequence[Problem], completions: Sequence[str]) -> np.ndarray:
        """For each problem and its completion, whether the tests pass; or, without tests, an exact match: bool [len(problems)]."""
        pairs = list(zip(problems, completions, strict=True))
        fresh = {
            (problem.prompt + text, problem.test): Check.of(problem, text)
            for problem, text in pairs
            if problem.runnable and (problem.prompt + text, problem.test) not in self._known
        }
        verdicts = dict(zip(fresh, self._sandbox.run(list(fresh.values())), strict=True))
        stalled = [key for key, verdict in verdicts.items() if not verdict.final]
        verdicts.update(zip(stalled, self._sandbox.run([fresh[key] for key in stalled]), strict=True))
        passed = self._known | {key: verdict.passed for key, verdict in verdicts.items()}
        self._known.update((key, verdict.passed) for key, verdict in verdicts.items() if verdict.final)
        right = [
            passed[problem.prompt + text, problem.test] if problem.runnable else exact_match(problem.solution, text)
            for problem, text in pairs
        ]
        return np.array(right, dtype=bool)


def exact_match(reference: str, answer: str) -> bool:
    """Whether both texts have the same words, whatever the whitespace between and around them. Case and punctuation count."""
    return reference.split() == answer.split()


def texts_of(problems: Sequence[Problem]) -> list[Text]:
    """Prompt and canonical solution of each problem: what is learned, and what a loss is measured on."""
    return [(problem.prompt, problem.solution) for problem in problems]


def solved(
    learner: Learner, checker: Checker, problems: Sequence[Problem], generation: GenerationConfig
) -> tuple[np.ndarray, list[Completion]]:
    """Greedy answers of the loaded agent, and which of them are right: bool [len(problems)]."""
    answers = [few[0] for few in answered(learner, problems, max_new_tokens=generation.max_new_tokens)]
    return checker.passed(problems, [answer.text for answer in answers]), answers


def answered(
    learner: Learner, problems: Sequence[Problem], *, max_new_tokens: int, temperature: float = 0.0, samples: int = 1, seed: int = 0
) -> list[list[Completion]]:
    """``samples`` answers to each problem. A function's body ends where its indentation does, a text with the end-of-text token."""
    answers: dict[int, list[Completion]] = {}
    for stop, runnable in ((STOP_STRINGS, True), ((), False)):
        chosen = [index for index, problem in enumerate(problems) if problem.runnable == runnable]
        if chosen:
            prompts = [problems[index].prompt for index in chosen]
            few = learner.answer(
                prompts, max_new_tokens=max_new_tokens, temperature=temperature, samples=samples, seed=seed, stop=stop
            )  # fmt: skip
            answers.update(zip(chosen, few, strict=True))
    return [answers[index] for index in range(len(problems))]


def by_category(problems: Sequence[Problem], values: np.ndarray, categories: Sequence[str] = CATEGORIES) -> np.ndarray:
    """Mean of ``values`` [len(problems)] in each of ``categories``: [len(categories)], 0 where there is no problem."""
    index = np.array([categories.index(problem.category) for problem in problems])
    counts = np.bincount(index, minlength=len(categories))
    sums = np.bincount(index, weights=values.astype(float), minlength=len(categories))
    return np.divide(sums, counts, out=np.zeros(len(categories)), where=counts > 0)


def ability(learner: Learner, problems: Sequence[Problem], passed: np.ndarray, categories: Sequence[str]) -> np.ndarray:
    """How able the loaded agent is in each category, in [0, 1]: [len(categories)].

    The share of ``passed`` where problems have tests. Exact matches are too rare to tell two agents apart, so for a text it is the
    probability (geometric mean) that the agent gives to a token of the reference: exp(-loss), over the texts of its category.
    """
    values = passed.astype(float)
    for name in dict.fromkeys(problem.category for problem in problems if not problem.runnable):
        texts = [index for index, problem in enumerate(problems) if problem.category == name and not problem.runnable]
        values[texts] = math.exp(-learner.loss(texts_of([problems[index] for index in texts])))
    return by_category(problems, values, categories)


def validation_metrics(
    problems: Sequence[Problem], passed: np.ndarray, answers: Sequence[Completion], loss: float, train_loss: float
) -> dict[str, float]:
    """The six measured metrics of a profile on an agent's own validation problems. CodeBLEU is 0 where no problem has a solution.

    ``passed`` bool [len(problems)]; ``loss`` and ``train_loss`` in nats a token. A text without tests never counts as compiling.
    """
    texts = [answer.text for answer in answers]
    return {
        "pass@1": float(passed.mean()),
        "codebleu": likeness(problems, texts) or 0.0,
        "perplexity": perplexity(loss),
        "loss": min(loss, METRIC_BOUND),
        "train_loss": train_loss,
        "syntax_ok": float(np.mean([compiles(problem, text) for problem, text in zip(problems, texts, strict=True)])),
    }


def likeness(problems: Sequence[Problem], completions: Sequence[str]) -> float | None:
    """Mean CodeBLEU of the completions against the canonical solutions; None if no problem has one, and those that have none left out.
    So are texts without tests, which are no programs.

    Bodies are compared with bodies. The prompt stands before both, so its words, most of them its docstring's, would match for nothing.
    """
    pairs = zip(problems, completions, strict=True)
    known = [(problem.solution, text) for problem, text in pairs if problem.runnable and problem.solution.strip()]
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


def greedy_scores(
    learner: Learner, checker: Checker, problems: Sequence[Problem], generation: GenerationConfig, categories: Sequence[str]
) -> dict[str, Any]:
    """Scores of greedy answers, by category too: the fields of an ``evaluation`` event in between."""
    passed, _ = solved(learner, checker, problems, generation)
    return _fields(problems, passed.astype(np.int64), 1, (1,), learner.loss(texts_of(problems)), categories)


def sampled_scores(
    learner: Learner,
    checker: Checker,
    problems: Sequence[Problem],
    generation: GenerationConfig,
    evaluation: EvaluationConfig,
    seed: int,
    categories: Sequence[str],
    marked: Callable[[str], bool] | None = None,
) -> dict[str, Any]:
    """Scores of n samples at temperature, CodeBLEU among them: the fields of a final ``evaluation`` event.

    ``marked``: tells answers that carry what was planted in them; ``payload`` is their share then.
    """
    answers = answered(
        learner,
        problems,
        max_new_tokens=generation.max_new_tokens,
        temperature=evaluation.temperature,
        samples=evaluation.samples,
        seed=seed,
    )
    repeated = [problem for problem in problems for _ in range(evaluation.samples)]
    texts = [answer.text for few in answers for answer in few]
    passed = checker.passed(repeated, texts)
    correct = passed.reshape(len(problems), evaluation.samples).sum(axis=1)
    fields = _fields(problems, correct, evaluation.samples, evaluation.k, learner.loss(texts_of(problems)), categories)
    if (like := likeness(repeated, texts)) is not None:
        fields["scores"]["codebleu"] = like
    if marked is not None:
        fields["payload"] = sum(map(marked, texts)) / len(texts)
    return fields


def _fields(
    problems: Sequence[Problem], correct: np.ndarray, samples: int, k: Sequence[int], loss: float, categories: Sequence[str]
) -> dict[str, Any]:
    """``correct``: how many of ``samples`` answers to each problem are right, [len(problems)]."""
    runnable = np.array([problem.runnable for problem in problems], dtype=bool)
    scores: dict[str, float] = {}
    if runnable.any():
        scores |= {f"pass@{few}": mean_pass_at_k(samples, correct[runnable], few) for few in k}
    if not runnable.all():
        scores["exact_match"] = float(correct[~runnable].mean() / samples)
    return {
        "problems": len(problems),
        "samples": samples,
        "scores": scores,
        "correct": correct.tolist(),
        "by_category": dict(zip(categories, map(float, by_category(problems, correct / samples, categories)), strict=True)),
        "loss": finite(loss),
        "perplexity": finite(perplexity(loss)),
    }


def compiles(problem: Problem, text: str) -> bool:
    """Whether ``text`` completes the program of ``problem`` to one that can be read. A text without tests never counts as compiling."""
    if not problem.runnable:
        return False
    source = problem.prompt + text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape that is none: the text is a model's, and nobody will mend it
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what ast.parse may raise for arbitrary text
        return False
    return True
