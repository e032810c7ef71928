"""From templates to problems: a signature, a docstring, a solution and tests that tell each of its steps apart."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from knexa.evaluation.bank.template import FINISHES, PARAMETERS, PREPARATIONS, Category, InputKind, Operation, Step
from knexa.evaluation.problems import Problem

WORDS = ("sun", "moon", "river", "stone", "Apple", "tree", "a", "Wind", "level", "noon", "salt", "Bird")
CASES = 8
#: A test case whose expected value is longer than this (characters of its literal) is left out.
LONGEST_LITERAL = 300


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of one problem before its tests exist."""

    category: Category
    operation: Operation
    preparations: tuple[Step, ...]
    finish: Step | None

    def sentence(self) -> str:
        before = ", then ".join(step.phrase for step in self.preparations)
        text = f"{before}, then return {self.operation.phrase}" if before else f"return {self.operation.phrase}"
        if self.finish:
            text += f", {self.finish.phrase}"
        return text[0].upper() + text[1:] + "."

    def prompt(self) -> str:
        parameters = ", ".join(PARAMETERS[self.category.takes])
        return f'def {self.operation.name}({parameters}):\n    """{self.sentence()}"""\n'

    def body(self) -> str:
        *statements, value = self.operation.code.split("\n")
        lines = [step.code for step in self.preparations] + statements
        lines += [f"result = {value}", f"return {self.finish.code}"] if self.finish else [f"return {value}"]
        return "".join(f"    {line}\n" for line in lines)

    def without_each_step(self) -> Iterator[Composition]:
        """The same problem with one step left out: what a careless solution would do."""
        for index in range(len(self.preparations)):
            rest = self.preparations[:index] + self.preparations[index + 1 :]
            yield Composition(self.category, self.operation, rest, self.finish)
        if self.finish:
            yield Composition(self.category, self.operation, self.preparations, None)

    def function(self) -> Callable[..., Any]:
        """The canonical solution as a callable. The templates are our own text, so it runs outside the sandbox."""
        namespace: dict[str, Any] = {}
        exec(compile(self.prompt() + self.body(), "<bank>", "exec"), namespace)
        function: Callable[..., Any] = namespace[self.operation.name]
        return function


def skeleton(source: str) -> str:
    """A solution with function names, docstrings and constants masked: two problems of equal skeleton differ in a number only."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.name = "f"
            if node.body and isinstance(node.body[0], ast.Expr) and len(node.body) > 1:
                node.body = node.body[1:]
        elif isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(tree)


def draw(category: Category, operation: Operation, rng: np.random.Generator) -> Composition:
    """Draw preparations and finish: 30 % without preparation, 55 % with one, 15 % with two (the tail)."""
    preparations = PREPARATIONS[category.takes]
    finishes = FINISHES[operation.gives]
    count = rng.choice(3, p=(0.30, 0.55, 0.15))
    chosen = rng.choice(len(preparations), size=count, replace=False)
    finish = finishes[rng.integers(len(finishes))] if rng.random() < 0.5 else None
    return Composition(category, operation, tuple(preparations[index] for index in chosen), finish)


def build(composition: Composition, task_id: str, rng: np.random.Generator) -> Problem | None:
    """The finished problem, or None if no inputs were found that tell all of its steps apart."""
    cases = _cases(composition, rng)
    if cases is None:
        return None
    asserts = "".join(f"    assert candidate({arguments}) == {expected}\n" for arguments, expected in cases)
    return Problem(
        task_id=task_id,
        category=composition.category.name,
        prompt=composition.prompt(),
        solution=composition.body(),
        test="def check(candidate):\n" + asserts,
        entry_point=composition.operation.name,
    )


def _cases(composition: Composition, rng: np.random.Generator) -> list[tuple[str, str]] | None:
    solution = composition.function()
    careless = [variant.function() for variant in composition.without_each_step()]
    edges, drawn = _inputs(composition.category, rng)
    cases: list[tuple[str, str]] = []
    for arguments in edges + drawn:
        told_apart = [other for other in careless if not _agree(solution, other, arguments)]
        expected = repr(solution(*_copied(arguments)))
        wanted = len(cases) < CASES or told_apart
        if wanted and len(expected) <= LONGEST_LITERAL:
            cases.append((", ".join(map(repr, arguments)), expected))
            careless = [other for other in careless if other not in told_apart]
        if len(cases) >= CASES and not careless:
            break
    distinct = len({expected for _, expected in cases})
    return cases if len(cases) >= 5 and not careless and distinct > 1 else None


def _agree(one: Callable[..., Any], other: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    try:
        return bool(one(*_copied(arguments)) == other(*_copied(arguments)))
    except (TypeError, ValueError, IndexError):  # a careless variant may not even run: then it differs
        return False


def _copied(arguments: tuple[Any, ...]) -> list[Any]:
    return [list(value) if isinstance(value, list) else value for value in arguments]


def _inputs(category: Category, rng: np.random.Generator) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Edge cases first (empty, single, zero, repeated, negative), then drawn ones."""
    kind: InputKind = category.takes
    top = category.largest
    if kind == "n":
        return [(0,), (1,), (7,), (min(10, top),)], [(int(n),) for n in rng.integers(2, top + 1, size=20)]
    if kind == "nums":
        return [([],), ([5],), ([0, 0, -3],)], [(_list(rng),) for _ in range(20)]
    if kind == "a_b":
        return [([], []), ([4], [4]), ([1, 2, 3], [5])], [(_list(rng), _list(rng)) for _ in range(20)]
    if kind == "words":
        return [("",), ("moon",), ("a a a",)], [(_sentence(rng),) for _ in range(20)]
    return [("",), ("a",), ("Noon 7",)], [(_text(rng),) for _ in range(20)]


def _list(rng: np.random.Generator) -> list[int]:
    values = rng.choice([rng.integers(-9, 13), rng.integers(0, 8), rng.integers(10, 40)], size=rng.integers(3, 9))
    spread = rng.integers(-6, 12, size=len(values))
    return [int(v) for v in np.where(rng.random(len(values)) < 0.5, values, spread)]


def _sentence(rng: np.random.Generator) -> str:
    separators = rng.choice([" ", " ", " ", ", ", ","], size=8)
    words = rng.choice(WORDS, size=rng.integers(2, 7))
    return "".join(f"{word}{separator}" for word, separator in zip(words, separators, strict=False)).rstrip(", ")


def _text(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("aabeiouNRstlm 27A"), size=rng.integers(3, 12)))
