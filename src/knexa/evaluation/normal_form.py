"""When two problems are one: the same prompt up to whitespace, or the same program up to the names in it.

A split that holds a copy of another split's problem under another name would measure memory. So problems are told apart by a
normal form of prompt and solution, in which every name that the program binds is numbered in order of appearance, and
docstrings, annotations and layout are gone. Constants stay: two searches for different patterns are different programs.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence

from knexa.evaluation.problems import Problem


def identities(problem: Problem) -> frozenset[str]:
    """What ``problem`` may share with no problem of another split: its prompt and, where there is one, its program.

    The completion of a text without tests identifies nothing: many texts may rightly have the answer "no".
    """
    prompt = " ".join(problem.prompt.split())
    if not problem.solution or not problem.test:
        return frozenset({f"prompt {prompt}"})
    return frozenset({f"prompt {prompt}", f"program {normal_form(problem.prompt + problem.solution)}"})


def distinct(problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """The first of every group of problems that share an identity, and those that are left out, both in order."""
    seen: set[str] = set()
    kept: list[Problem] = []
    left_out: list[Problem] = []
    for problem in problems:
        keys = identities(problem)
        (left_out if keys & seen else kept).append(problem)
        seen |= keys
    return kept, left_out


def normal_form(source: str) -> str:
    """``source`` as Python with bound names numbered; what is no Python, or nested too deeply, only has its whitespace unified."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape in somebody's docstring
            tree = ast.parse(source)
        return ast.unparse(_Renamed(_bound(tree)).visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(source.split())


def _bound(tree: ast.AST) -> set[str]:
    """Every name that the program itself defines, assigns or takes as an argument."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


class _Renamed(ast.NodeTransformer):
    def __init__(self, bound: set[str]) -> None:
        self._bound = bound
        self._numbered: dict[str, str] = {}

    def _name(self, name: str) -> str:
        return self._numbered.setdefault(name, f"v{len(self._numbered)}") if name in self._bound else name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns, node.body = self._name(node.name), None, _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name, node.body = self._name(node.name), _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), node.ctx)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest] if rest:
            return rest
    return body


def share_nothing(groups: Sequence[tuple[str, Sequence[Problem]]]) -> str | None:
    """None if no problem of one group shares an identity with a problem of another; else who does, in words."""
    owner: dict[str, tuple[str, str]] = {}
    for name, problems in groups:
        for problem in problems:
            for key in sorted(identities(problem)):
                other, task_id = owner.setdefault(key, (name, problem.task_id))
                if other != name:
                    return f"{problem.task_id} of {name} and {task_id} of {other} have the same {key.split(' ')[0]}"
    return None
