"""The concrete syntax tree of any text read as Python, in the form that syntax match and data flow both read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import tree_sitter
import tree_sitter_python

PYTHON = tree_sitter.Language(tree_sitter_python.language())
#: Deepest level at which a tree with errors is identified by its whole S-expression; the levels of 10,000 brackets would be gigabytes.
ERROR_DEPTH = 200

#: Row and column (in UTF-8 bytes) of where a leaf starts, and of where it ends.
_Place = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True, eq=False)
class Node:
    """One node. ``role``: its field in its parent, such as "left". ``quoted``: it lies in a string. Its tokens: ``tokens[first:last]``.

    ``shape`` identifies the S-expression of the tree below, which has kinds and roles but no text of the program; ``written`` is the
    node's part in that of its parent, "" for keywords, operators and brackets.
    """

    kind: str
    role: str | None
    quoted: bool
    shown: bool
    shape: str
    first: int
    last: int
    written: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, role: str) -> Node | None:
        """The first child of that role."""
        return next((node for node in self.children if node.role == role), None)


@dataclass(frozen=True, slots=True)
class Token:
    """A leaf that is no comment, or a whole string. ``fixed``: its kind is its text, as for keywords and operators.

    ``position``: its number in the source. Tokens of one place, such as those that the parser found missing there, share the last one's.
    """

    kind: str
    text: str
    position: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """``shapes``: of the root and of every other node with children. ``depth``: nodes on the longest way down."""

    root: Node
    tokens: tuple[Token, ...]
    shapes: tuple[str, ...]
    depth: int


def parse(source: str) -> SyntaxTree:
    """The tree of ``source``, which need not be valid Python: what is not becomes nodes ERROR and MISSING. No lone surrogates."""
    nodes: list[Node] = []
    path: list[Node] = []
    leaves: list[tuple[str, _Place]] = []
    deepest = 0
    for found, role, depth in _preorder(tree_sitter.Parser(PYTHON).parse(source.encode()).walk()):
        del path[depth:]
        node = _node(found, role, path, leaves)
        nodes.append(node)
        path.append(node)
        deepest = max(deepest, len(path))
    for node in reversed(nodes):  # children before their parents
        _close(node)
    shapes = [nodes[0].shape, *(node.shape for node in nodes[1:] if node.children)]
    return SyntaxTree(nodes[0], _tokens(source, leaves), tuple(shapes), deepest)


def _preorder(cursor: tree_sitter.TreeCursor) -> Iterator[tuple[tree_sitter.Node, str | None, int]]:
    """Every node with its role and depth, parents before their children; without recursion, since texts may nest at will."""
    depth = 0
    while True:
        found = cursor.node
        assert found is not None
        yield found, cursor.field_name, depth
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            depth -= 1


def _node(found: tree_sitter.Node, role: str | None, path: Sequence[Node], leaves: list[tuple[str, _Place]]) -> Node:
    """The node as it is entered, added to its parent, the last of ``path``; ``leaves`` grows if it is a token."""
    kind, leaf, first = found.type, not found.child_count, len(leaves)
    quoted = bool(path) and (path[-1].quoted or path[-1].kind == "string")
    if (leaf or kind == "string") and not quoted and kind != "comment":
        leaves.append((kind, (found.start_point, found.end_point)))
    shape = f"({kind})" if leaf else ""
    if found.has_error and (leaf or len(path) < ERROR_DEPTH):
        shape = _digest(str(found))  # says what is missing without being a node, such as the end of a block
    node = Node(kind, role, quoted, found.is_named or found.is_missing, shape, first, len(leaves))
    if path:
        path[-1].children.append(node)
    return node


def _close(node: Node) -> None:
    """Fill in what follows from the children."""
    inner = ""
    if node.children:
        node.last = node.children[-1].last
        inner = "".join([child.written for child in node.children])
        node.shape = node.shape or _digest(node.kind + inner)
    if node.shown:
        node.written = f" {node.role}: {node.shape}" if node.role else f" {node.shape}"
    else:
        node.written = inner


def _digest(expression: str) -> str:
    return blake2b(expression.encode(), digest_size=16).hexdigest()


def _tokens(source: str, leaves: Sequence[tuple[str, _Place]]) -> tuple[Token, ...]:
    position = {place: index for index, (_, place) in enumerate(leaves)}
    lines = source.split("\n")
    texts = [_text(lines, place) for _, place in leaves]
    return tuple(Token(kind, text, position[place], kind == text) for (kind, place), text in zip(leaves, texts, strict=True))


def _text(lines: Sequence[str], place: _Place) -> str:
    """What stands there, without line ends. Columns are taken as characters, as by the package, though they count bytes."""
    (row, start), (end_row, end) = place
    if row == end_row:
        return lines[row][start:end]
    return "".join([lines[row][start:], *lines[row + 1 : end_row], lines[end_row][:end]])
