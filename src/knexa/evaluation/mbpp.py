"""A row of MBPP (Austin et al. 2021, arXiv 2108.07732) in HumanEval's form, without giving the solution away.

The prompt states what MBPP's own few-shot prompt states, the text and a test, under the signature of the reference
function. What the tests and the signature use besides the function (a class, an import) stands above it, and so does what
the program changes between calls. All asserts are tested.
"""

from __future__ import annotations

import ast
import copy
import symtable
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from knexa.evaluation.problems import Problem


def mbpp_problem(row: dict[str, Any], category: str) -> Problem:
    """The problem of one validated row, of MBPP or of its sanitized form (``prompt`` in place of ``text``, ``test_imports``).

    Raises SyntaxError, ValueError, RecursionError or MemoryError when its reference solution cannot be read or does not fit its tests.
    """
    text = _unified(row["text"] if "text" in row else row["prompt"])
    imports, tests = (_unified("\n".join(row.get(key) or ())) for key in ("test_imports", "test_list"))
    setup = _unified(row.get("test_setup_code") or "")
    code = _with_lacking(_unified(row["code"]), f"{imports}\n{setup}")
    module = _parsed(code)
    function = _tested_function(module, tests)
    needed, calling = _given(module, function, f"{imports}\n{setup}\n{tests}"), _calling(module, function)
    given = [part for part in needed if part not in calling]
    late = "".join(f"{ast.unparse(part)}\n" for part in needed if part in calling)
    # What would overwrite an argument once it stands in the body, the function cannot have read as a global.
    own = {function.name, *(node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg))}
    kept = [part for part in module.body if part not in given and part not in calling and not _bound(part) & own]
    checked = f"{function.name} = candidate\n{late}{setup}\n{tests}\n"
    return Problem(
        task_id=f"MBPP/{row['task_id']}",
        category=category,
        prompt="".join(f"{ast.unparse(part)}\n\n" for part in given) + _header(function, text, tests),
        solution=_body(code, kept, function),
        test=f"{imports}\n\n\n".lstrip() + f"def check(candidate):\n{_indented(checked, _parsed(checked).body)}",
        entry_point=function.name,
    )


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():
        # Invalid escapes in MBPP's own strings are nothing that its reader could mend.
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _with_lacking(code: str, setup: str) -> str:
    """``code`` with those statements of ``setup`` behind it that bind a name which it uses and does not bind."""
    module = _parsed(code)
    lacking = _used(module) - _bound(module)
    return "\n".join([code, *(ast.unparse(part) for part in _parsed(setup).body if _bound(part) & lacking)])


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
    """Top-level statements that must stay at the top level, the tested function itself apart, with what they use in turn."""
    others = [part for part in module.body if function.name not in _bound(part)]
    local = _local(function)
    needed = _used(_parsed(tests)) | _used(_signature(function)) | _state(module)
    # A helper that reads a global of the name of one of the function's variables would read the variable, once it stands in the body.
    given = [part for part in others if _top_only(part) or (_is_definition(part) and _used(part) & local & _bound(module))]
    while True:
        needed |= {name for part in given for name in _used(part)}
        more = [part for part in others if part not in given and (_bound(part) | set(_changed(part))) & needed]
        if not more:
            return [part for part in others if part in given]
        given += more


def _calling(module: ast.Module, function: ast.FunctionDef) -> list[ast.stmt]:
    """Top-level statements that may call the function when they are run, for nothing that a definition needs.

    In its body they would do so without end, above it too early.
    """
    definitions = [part for part in module.body if _is_definition(part)]
    names = {function.name}
    while more := {name for part in definitions if _used(part) & names for name in _bound(part)} - names:
        names |= more
    needed = {name for part in definitions for name in _used(part)}
    others = [part for part in module.body if part not in definitions and not _bound(part) & needed]
    return [part for part in others if any(_used(node) & names for node in ast.walk(part) if isinstance(node, ast.Call))]


def _top_only(part: ast.stmt) -> bool:
    return isinstance(part, ast.ImportFrom) and (part.module == "__future__" or part.names[0].name == "*")


def _is_definition(part: ast.AST) -> bool:
    return isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _state(module: ast.Module) -> set[str]:
    """Names of what a function of ``module`` changes and the next call finds changed."""
    functions = [node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    declared = {name for node in ast.walk(module) if isinstance(node, ast.Global) for name in node.names}
    assigned = {name for part in module.body if not isinstance(part, (ast.Import, ast.ImportFrom)) for name in _bound(part)}
    return declared | {name for one in functions for part in one.body for name in _changed(part)} & assigned


def _changed(part: ast.stmt) -> Iterator[str]:
    """Names of objects into which ``part`` writes; none of a definition, which writes when it is called."""
    for node in () if _is_definition(part) else ast.walk(part):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                yield name


#: Of one row, whose statements are asked about again and again.
_remembered = lru_cache(maxsize=512)


@_remembered
def _table(part: ast.AST) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(part), "row", "exec")


@_remembered
def _bound(part: ast.AST) -> frozenset[str]:
    """Names that ``part`` binds at the top level."""
    return frozenset(symbol.get_name() for symbol in _table(part).get_symbols() if symbol.is_assigned() or symbol.is_imported())


@_remembered
def _used(part: ast.AST) -> frozenset[str]:
    """Names that ``part`` reads at the top level, at once or when it is called."""
    tables, names = [_table(part)], set[str]()
    for table in tables:
        tables.extend(table.get_children())
        names |= {
            one.get_name() for one in table.get_symbols() if one.is_referenced() and (table.get_type() == "module" or one.is_global())
        }
    return frozenset(names)


def _local(function: ast.FunctionDef) -> set[str]:
    """Arguments and variables of ``function``."""
    table = next(one for one in _table(function).get_children() if one.get_name() == function.name)
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_local()}


def _signature(function: ast.FunctionDef) -> ast.FunctionDef:
    """``function`` with nothing in it, and without what it says it returns."""
    bare = copy.copy(function)
    bare.body, bare.returns = [ast.Pass()], None
    return bare


def _header(function: ast.FunctionDef, text: str, tests: str) -> str:
    example = ast.unparse(_parsed(tests).body[0])
    docstring = f"{text.strip()}\n\n{example}".replace("\\", "\\\\").replace('"""', r"\"\"\"")
    signature = ast.unparse(_signature(function)).removesuffix("    pass")
    return f'{signature}    """{textwrap.indent(docstring, "    ").lstrip()}\n    """\n'


def _body(code: str, before: list[ast.stmt], function: ast.FunctionDef) -> str:
    """The reference solution as a function body: what stood above the function moves into it."""
    lines = code.split("\n")
    inner = [_source(lines, part, part.lineno) for part in before]
    inner += [textwrap.dedent(_source(lines, function.body[0], function.body[0].lineno, function.end_lineno))]
    return _indented("\n".join(inner) + "\n", [*before, *function.body])


def _indented(source: str, parts: Sequence[ast.stmt]) -> str:
    """``source``, which spells ``parts``, as a body; spelled anew where its indentation would change a text of several lines."""
    body = textwrap.indent(source, "    ")
    try:
        written = _parsed(f"if True:\n{body}").body[0]
    except SyntaxError:
        written = ast.Pass()
    if isinstance(written, ast.If) and list(map(ast.dump, written.body)) == list(map(ast.dump, parts)):
        return body
    return ast.unparse(ast.If(ast.Constant(True), list(parts), [])).partition("\n")[2] + "\n"


def _source(lines: list[str], first: ast.stmt, start: int, end: int | None = None) -> str:
    if isinstance(first, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and first.decorator_list:
        start = min(start, *(decorator.lineno for decorator in first.decorator_list))
    piece = lines[start - 1 : end or first.end_lineno]
    # A statement that shares its line with others (def f(x): return x) starts in the middle of it.
    return "\n".join([" " * first.col_offset + piece[0].encode()[first.col_offset :].decode(), *piece[1:]])
