"""Python source without comments and docstrings: neither is compared as code."""

from __future__ import annotations

import tokenize
from io import StringIO

_BEGINS_A_STATEMENT = (tokenize.INDENT, tokenize.NEWLINE)


def without_comments(source: str) -> str:
    """``source`` less comments, strings that begin a statement or a line, and blank lines; as it is where Python cannot tokenise it."""
    try:
        kept = _kept(source)
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):  # the last: Python 3.13, after a lone carriage return
        return source
    return "\n".join(line for line in kept.split("\n") if line.strip())


def _kept(source: str) -> str:
    parts: list[str] = []
    line, column, before = 0, 0, tokenize.INDENT
    for kind, text, (row, start), (end_row, end), _ in tokenize.generate_tokens(StringIO(source).readline):
        parts.append(" " * (start - (column if row == line else 0)))
        docstring = kind == tokenize.STRING and (before in _BEGINS_A_STATEMENT or start == 0)
        if kind != tokenize.COMMENT and not docstring:
            parts.append(text)
        line, column, before = end_row, end, kind
    return "".join(parts)
