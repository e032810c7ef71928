"""The data-flow graph, by hand: where a value comes from, in branches and loops too, and when there is no telling."""

from __future__ import annotations

import pytest

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.codebleu.data_flow import data_flow, flow_match
from knexa.evaluation.codebleu.syntax_tree import parse

COMPUTED, COMES = "computedFrom", "comesFrom"


@pytest.mark.parametrize(
    ("source", "edges"),
    [
        ("a = b", [(0, COMPUTED, (1,)), (1, COMES, ())]),
        ("a = b + c", [(0, COMPUTED, (1, 2)), (1, COMES, ()), (2, COMES, ())]),
        ("a, b = c, d", [(1, COMPUTED, (0,)), (3, COMPUTED, (2,)), (0, COMES, ()), (2, COMES, ())]),
        ("f(a)\ng(a)", [(0, COMES, ()), (0, COMES, (0,))]),
        ("f(a)", []),
        ("n: int", []),
        ("def f(n=m): return n", [(1, COMES, (0,)), (0, COMES, ()), (1, COMES, (1,))]),
    ],
)
def test_edges_of_single_statements(source: str, edges: list[tuple[int, str, tuple[int, ...]]]) -> None:
    """Names are numbered as they appear, the sources of an edge first; what is linked to nothing is left out."""
    found = data_flow(parse(source))
    first = {number: place for place, number in enumerate(dict.fromkeys(n for v, _, s in found for n in (*s, v)))}
    assert [(first[v], relation, tuple(first[n] for n in sources)) for v, relation, sources in found] == list(found)
    renumbered = {number: place for place, number in enumerate(dict.fromkeys(n for v, _, s in edges for n in (*s, v)))}
    assert list(found) == [(renumbered[v], relation, tuple(renumbered[n] for n in sources)) for v, relation, sources in edges]


def test_names_do_not_count() -> None:
    """A program with its variables renamed has the same graph."""
    text = "total = 0\nfor n in numbers:\n    if n > total:\n        total = n\nreturn total\n"
    assert data_flow(parse(text)) == data_flow(parse(text.replace("total", "best").replace("numbers", "values"))) != ()


def test_a_loop_sees_what_its_last_pass_has_set() -> None:
    """In a loop a value may come from further down; without the loop it may not."""
    body = "f(a)\na = b\n"
    looped = "while True:\n    " + body.replace("\n", "\n    ", 1)
    assert (0, COMES, (0,)) in data_flow(parse(looped))
    assert (0, COMES, (0,)) not in data_flow(parse(body))


@pytest.mark.parametrize(
    "source",
    [
        "x = y\na.b = 'quoted'",
        "x = y\nz = " + "(" * 300 + "x" + ")" * 300,
        "x = y\n" + "".join(" " * depth + "for a in b:\n" for depth in range(30)) + " " * 30 + "x = a\n",
    ],
    ids=["piece of a string", "too deep", "too many passes"],
)
def test_a_program_that_cannot_be_followed_has_no_edges(source: str) -> None:
    """Not even those of its good statements."""
    assert data_flow(parse("x = y")) != ()
    assert data_flow(parse(source)) == ()


def test_matches_are_counted_once() -> None:
    """An edge of the candidate answers for one of the reference's; without a reference there is no match."""
    edge, other = (0, COMES, (0,)), (1, COMES, (0,))
    assert flow_match([edge, edge, other, other], [edge, other, other, other]) == 0.75
    assert flow_match([], [edge]) == 0.0


def test_the_banks_solutions_have_data_flow() -> None:
    """The fourth component says something about the problems that we score."""
    solutions = [problem.solution.replace("\n    ", "\n").strip() for problem in load_bank().test]
    assert sum(data_flow(parse(text)) != () for text in solutions) > 0.9 * len(solutions)
