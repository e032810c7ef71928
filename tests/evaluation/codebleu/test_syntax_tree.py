"""Trees of any text: their shapes are those of tree-sitter's S-expressions, their tokens those of the source."""

from __future__ import annotations

import pytest
import tree_sitter

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.codebleu.syntax_tree import PYTHON, parse

BROKEN = (
    "if x:\n    y = 1\n    else:\n    y = 2\nreturn y",
    "return max(",
    "def f(:\n  return ]]\n",
    "for in range(3): print x",
    "x not y is not z",
    "'''never closed",
    "a ? b $",
)


def _inner(node: tree_sitter.Node) -> list[str]:
    """S-expressions of all nodes below that have children, parents first."""
    return [line for child in node.children if child.child_count for line in (str(child), *_inner(child))]


def test_equal_shapes_are_equal_expressions() -> None:
    """Over good and broken programs: one shape for each S-expression and one S-expression for each shape."""
    shape_of: dict[str, str] = {}
    texts = [problem.prompt + problem.solution for problem in load_bank().test]
    for text in (*texts, *BROKEN, *(text[: len(text) // 2] for text in texts)):
        root = tree_sitter.Parser(PYTHON).parse(text.encode()).root_node
        expressions, shapes = [str(root), *_inner(root)], parse(text).shapes
        assert len(expressions) == len(shapes)
        for expression, shape in zip(expressions, shapes, strict=True):
            assert shape_of.setdefault(expression, shape) == shape
    assert len(set(shape_of.values())) == len(shape_of) > 300


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("x = y + 1  # why", ["x", "=", "y", "+", "1"]),
        ("say('it', f'{x}')", ["say", "(", "'it'", ",", "f'{x}'", ")"]),
        ("x = 'two\\\nlines'", ["x", "=", "'two\\lines'"]),
        ("", [""]),
    ],
)
def test_tokens_are_the_leaves_and_whole_strings(source: str, texts: list[str]) -> None:
    """Comments are none; a string is one, also over two lines."""
    assert [token.text for token in parse(source).tokens] == texts


def test_only_names_and_values_may_flow() -> None:
    """Keywords and operators are fixed."""
    assert [token.text for token in parse("return not (x or 3)").tokens if not token.fixed] == ["x", "3"]


def test_a_node_spans_the_tokens_below_it() -> None:
    """The right side of an assignment has the tokens behind the sign."""
    tree = parse("x = y + 1")
    right = tree.root.children[0].children[0].child("right")
    assert right is not None
    assert [token.text for token in tree.tokens[right.first : right.last]] == ["y", "+", "1"]
    assert tree.depth == 5
