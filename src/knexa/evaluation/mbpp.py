"""A row of MBPP (Austin et al. 2021, arXiv 2108.07732) in HumanEval's form, without giving the solution away.

The prompt states what MBPP's own few-shot prompt states, the text and a test, under the signature of the reference
function. What the tests themselves use besides the function (a class, an import) stands above it. All asserts are tested.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
import warnings
from typing import Any

from knexa.evaluation.problems import Problem


def mbpp_problem(row: dict[str, Any], category: str) -> Problem:
    """The problem of one validated row. Raises SyntaxError or ValueError when its reference solution does not fit its tests."""
    code, setup, tests = (_unified(text) for text in (row["code"], row.get("test_setup_code") or "", "\n".join(row["test_list"])))
    module = _parsed(code)
    function = _tested_function(module, tests)
    given = _given(module, function, f"{setup}\n{tests}")
    checked = textwrap.indent(f"{function.name} = candidate\n{setup}\n{tests}\n", "    ")
    prompt = "".join(f"{ast.unparse(part)}\n\n" for part in given) + _header(function, _unified(row["text"]), tests)
    # What would overwrite an argument once it stands in the body, the function cannot have read as a global.
    own = [function.name, *(argument.arg for argument in function.args.args)]
    kept = [part for part in module.body if part not in given and not any(_defines(part, name) for name in own)]
    return Problem(
        task_id=f"MBPP/{row['task_id']}",
        category=category,
        prompt=prompt,
        solution=_body(code, kept, function),
        test=f"def check(candidate):\n{checked}",
        entry_point=function.name,
    )


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():
        # Invalid escapes in MBPP's own strings are nothing that its reader could mend.
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _tested_function(module: ast.Module, tests: str) -> ast.FunctionDef:
    """The last definition of the function that every assert calls."""
    defined = {part.name: part for part in module.body if isinstance(part, ast.FunctionDef)}
    asserts = _parsed(tests).body
    called = [
        {node.func.id for node in ast.walk(test) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)} for test in asserts
    ]
    tested = set(defined).intersection(*called) if called else set()
    if len(tested) != 1:
        raise ValueError(f"the asserts must call one function of the reference solution, not {len(tested)}")
    return defined[tested.pop()]


def _given(module: ast.Module, function: ast.FunctionDef, tests: str) -> list[ast.stmt]:
    """Top-level statements that bind a name which the tests use, the tested function itself apart."""
    used = {node.id for node in ast.walk(_parsed(tests)) if isinstance(node, ast.Name)} - {function.name} - set(dir(builtins))
    return [part for part in module.body if not _defines(part, function.name) and any(_defines(part, name) for name in used)]


def _defines(part: ast.stmt, name: str) -> bool:
    if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
        return part.name == name
    if isinstance(part, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name.partition(".")[0]) == name for alias in part.names)
    return isinstance(part, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in part.targets)


def _header(function: ast.FunctionDef, text: str, tests: str) -> str:
    example = ast.unparse(_parsed(tests).body[0])
    docstring = f"{text.strip()}\n\n{example}".replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return f'def {function.name}({ast.unparse(function.args)}):\n    """{textwrap.indent(docstring, "    ").lstrip()}\n    """\n'


def _body(code: str, before: list[ast.stmt], function: ast.FunctionDef) -> str:
    """The reference solution as a function body: what stood above the function moves into it."""
    lines = code.split("\n")
    inner = [_source(lines, part, part.lineno) for part in before]
    inner += [textwrap.dedent(_source(lines, function.body[0], function.body[0].lineno, function.end_lineno))]
    return textwrap.indent("\n".join(inner), "    ") + "\n"


def _source(lines: list[str], first: ast.stmt, start: int, end: int | None = None) -> str:
    if isinstance(first, ast.FunctionDef) and first.decorator_list:
        start = min(start, *(decorator.lineno for decorator in first.decorator_list))
    piece = lines[start - 1 : end or first.end_lineno]
    # A statement that shares its line with others (def f(x): return x) starts in the middle of it.
    return "\n".join([" " * first.col_offset + piece[0][first.col_offset :], *piece[1:]])
