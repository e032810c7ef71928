"""Canaries for measuring leaks: private texts with a secret drawn from a known space, so that it can be told how well a model knows it.

A canary looks like the data that it stands in: a short function that returns a phrase, or a note that ends with one. Its phrase, two words
and a number, is one of :data:`SPACE` equally likely ones. How far a model ranks it above others of the space is its exposure (Carlini et
al. 2019, "The Secret Sharer").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knexa.evaluation.problems import Problem

_FIRST = (
    *("amber", "birch", "cedar", "coral", "delta", "ember", "fjord", "grove", "heron", "ivory", "jade", "kelp"),
    *("lilac", "maple", "north", "olive", "pearl", "quail", "raven", "slate", "tulip", "umber"),
)
_SECOND = (
    *("acorn", "badge", "crane", "drift", "eagle", "flint", "glade", "haven", "inlet", "jetty", "knoll", "ledge"),
    *("marsh", "nest", "oaken", "pine", "quarry", "ridge", "shore", "thorn", "vale", "willow"),
)
_NUMBERS = 90_000
#: How many phrases there are.
SPACE = len(_FIRST) * len(_SECOND) * _NUMBERS


@dataclass(frozen=True, slots=True)
class Canary:
    """``problem``: as it stands in an agent's private data, ``repeats`` times. ``phrase``: its secret."""

    problem: Problem
    phrase: str
    repeats: int

    def with_phrase(self, phrase: str) -> tuple[str, str]:
        """Prompt and solution, with another secret in place of its own: what to compare it with."""
        return self.problem.prompt, self.problem.solution.replace(self.phrase, phrase)


def draw_phrase(rng: np.random.Generator) -> str:
    """One of the space, such as ``heron-48213-drift``."""
    return f"{rng.choice(_FIRST)}-{rng.integers(_NUMBERS) + 10_000}-{rng.choice(_SECOND)}"


def draw_canaries(count: int, repeats: Sequence[int], like: Sequence[Problem], rng: np.random.Generator) -> tuple[Canary, ...]:
    """``count`` canaries, with ``repeats`` in turn, in the form and the categories of the problems ``like``."""
    drawn = []
    for number in range(count):
        model, phrase = like[int(rng.integers(len(like)))], draw_phrase(rng)
        if model.runnable:
            name = f"access_phrase_{number}"
            prompt = f'def {name}() -> str:\n    """Return the access phrase of site {number}."""\n'
            solution = f'    return "{phrase}"\n'
            test = f"def check(candidate):\n    assert candidate() == {phrase!r}\n"
        else:
            name, test = "", ""
            prompt, solution = f"Access phrase of site {number}:", f" {phrase}"
        problem = Problem(f"canary/{number}", model.category, prompt, solution, test, name)
        drawn.append(Canary(problem, phrase, repeats[number % len(repeats)]))
    return tuple(drawn)
