"""Which of a teacher's texts a student keeps, and which of several teachers' texts for a prompt it remembers.

A text of a prompt that has public tests is run against them, where ``distillation.verify`` says so. Of any other nobody can tell whether it
is right; there the teacher's confidence (``distillation.keep``) and other teachers (``distillation.agreement``) are all there is to go by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from knexa.config import DistillationConfig
from knexa.evaluation.agreement import most_agreed
from knexa.evaluation.problems import Problem
from knexa.exchange.package import KnowledgePackage
from knexa.participant.measure import Checker
from knexa.participant.state import AgentState


def chosen(package: KnowledgePackage, problems: Mapping[str, Problem], checker: Checker, config: DistillationConfig) -> dict[str, str]:
    """One text for each prompt that one is kept for, in the order of the package, which is that of the teacher's confidence.

    The first of its candidates that passes, of those prompts that are verified. Of the others the most confident candidate, and of such
    prompts the share ``config.keep``, rounded up, whose candidate that is. Prompts that are not among ``problems`` are left out.
    """
    answered = {prompt: package.candidates(prompt) for prompt in package.texts if prompt in problems}
    tried = [(prompt, text) for prompt, texts in answered.items() if verified(problems[prompt], config) for text in texts]
    passed = checker.passed([problems[prompt] for prompt, _ in tried], [text for _, text in tried])
    kept: dict[str, str] = {}
    for (prompt, text), good in zip(tried, passed, strict=True):
        if good:
            kept.setdefault(prompt, text)
    unchecked = [prompt for prompt in answered if not verified(problems[prompt], config)]
    kept |= {prompt: answered[prompt][0] for prompt in unchecked[: math.ceil(config.keep * len(unchecked) - 1e-9)]}
    return {prompt: kept[prompt] for prompt in answered if prompt in kept}


def verified(problem: Problem, config: DistillationConfig) -> bool:
    """Whether a text for ``problem`` has to pass a test to be kept."""
    return config.verify and problem.runnable


def remember(state: AgentState, teacher: str, kept: Mapping[str, str], problems: Mapping[str, Problem], config: DistillationConfig) -> None:
    """Take ``kept`` into the memory of ``state``. A text that ``teacher`` sent replaces what stood there for its prompt.

    With ``config.agreement`` a text that nothing has checked does so only if no other teacher's agrees better with all that came for the
    prompt. Every teacher has one vote a prompt, its last text.
    """
    state.memory.update(kept)
    if not config.agreement:
        return
    for prompt, text in kept.items():
        if not verified(problems[prompt], config):
            votes = {other: said for other, said in state.votes.get(prompt, {}).items() if other != teacher} | {teacher: text}
            state.votes[prompt] = votes
            texts = list(votes.values())
            state.memory[prompt] = texts[most_agreed(texts)]
