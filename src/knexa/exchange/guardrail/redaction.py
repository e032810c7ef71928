"""Taking out of a text what may not leave, so that a program stays one."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterable

from knexa.exchange.guardrail.views import literals

#: What stands for what was taken out, in strings and comments; and where only a name can stand.
MARK, NAME = "[redacted]", "redacted"
_COMMENT = re.compile(r"#[^\n]*")


def redacted(text: str, spans: Iterable[tuple[int, int]]) -> str | None:
    """``text`` without the characters of ``spans``; None if it was a program before and is none then."""
    quoted = [(start, end) for _, start, end in literals(text)]
    remarks = [(one.start(), one.end()) for one in _COMMENT.finditer(text) if not _inside(one.start(), one.start() + 1, quoted)]
    program = is_program(text)
    pieces, at = [], 0
    for start, end in merged(_whole(spans, quoted)):
        loose = program and not _inside(start, end, quoted) and not _inside(start, end, remarks)
        pieces += [text[at:start], NAME if loose else MARK]
        at = end
    left = "".join(pieces) + text[at:]
    return None if program and not is_program(left) else left


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, those that overlap or touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def is_program(text: str) -> bool:
    """Whether ``text`` is Python: a module, or the body of a function."""
    for source in (textwrap.dedent(text), "def body():\n" + (text if text[:1] in " \t\n" else textwrap.indent(text, " "))):
        try:
            with warnings.catch_warnings(action="ignore"):
                compile(source, "text", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
            continue
        return True
    return False


def _inside(start: int, end: int, spans: list[tuple[int, int]]) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def _whole(spans: Iterable[tuple[int, int]], quoted: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A span that lies over several strings takes the content of each: what was split among them is in all."""
    found = []
    for start, end in spans:
        over = [(max(start, first), min(end, last)) for first, last in quoted if first < end and start < last]
        found += over if len(over) > 1 else [(start, end)]
    return found
