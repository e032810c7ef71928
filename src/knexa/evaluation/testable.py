"""Whether the test of a row can be run at all: a completion must be the body of the function that the test calls."""

from __future__ import annotations

import ast
import re
import warnings

from knexa.errors import ConfigurationError
from knexa.evaluation.problems import Problem


def require_testable(place: str, problem: Problem) -> None:
    """Raises ConfigurationError, with ``place`` in front, for a problem whose test no completion could pass."""
    # A body may be indented otherwise than by four blanks; then so is the docstring above it.
    own = re.match(r"[ \t]*", problem.solution.lstrip("\r\n"))
    bodies = dict.fromkeys(("    pass\n", f"{own[0] if own else ''}pass\n"))
    if not any(_defines(f"{problem.prompt}\n{body}", problem.entry_point) for body in bodies):
        raise ConfigurationError(
            f"{place}: 'prompt' must end with a Python function that a body completes and define 'entry_point' "
            f"{problem.entry_point!r:.40}; mend it, or leave out the test"
        )
    if not _defines(problem.test, "check"):
        raise ConfigurationError(f"{place}: 'test' must be Python that defines check(candidate); mend it, or leave out the test")


def _defines(source: str, name: str) -> bool:
    """Whether ``source`` is a program with a function ``name`` at its top level."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape in somebody's docstring
            compile(source, "row", "exec", dont_inherit=True)
            module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and part.name == name for part in module.body)
