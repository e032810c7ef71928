"""What is no code is not compared."""

from __future__ import annotations

import pytest

from knexa.evaluation.codebleu.comments import without_comments


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("x = 1  # one\n\n\ny = 2\n", "x = 1  \ny = 2"),
        ('def f():\n    """Says."""\n    return "text"\n', 'def f():\n    return "text"'),
        ("'a docstring'\nx = 'a string'  # '", "x = 'a string'  "),
        ("x = (1 + # one\n     2)", "x = (1 + \n     2)"),
    ],
)
def test_comments_docstrings_and_blank_lines_go(source: str, left: str) -> None:
    """Strings that are values stay."""
    assert without_comments(source) == left


@pytest.mark.parametrize("source", ["x = (1 # one", "'''open # text", "if x:\n        y\n    z # dedent\n"])
def test_what_python_cannot_tokenise_stays_as_it_is(source: str) -> None:
    """A broken text keeps its comments: nobody can say where they end."""
    assert without_comments(source) == source
