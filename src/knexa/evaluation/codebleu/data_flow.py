"""Where values come from: the data-flow graph of a program, and how much of one program's graph another has.

The graph is that of GraphCodeBERT (Guo et al. 2021, arXiv 2009.08366), which CodeBLEU compares: an edge for every use or assignment of
a variable, to the places where its value was last set. What the graph does with Python's statements is fixed by the ``codebleu``
package, down to its oddities: with ``x.a = y.b`` it pairs the parts by place, so a program with ``x.a = "text"`` has no edges at all
(a piece of a string is nothing that flows), and it does not enter the body of a ``for`` that has an ``else``. Where the package puts
names in the order of a hash table, which changes from run to run, we keep the order of the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knexa.evaluation.codebleu.syntax_tree import Node, SyntaxTree, Token

#: Deepest tree and most steps that are followed. A body is read twice for each loop around it, so steps may grow exponentially.
MAX_DEPTH = 200
MAX_STEPS = 200_000

_BRANCHES = ("elif_clause", "else_clause")

#: Places where each variable may last have been set: [position].
State = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Flow:
    """The value of ``name`` at ``position`` comes from ``sources``, set or read at ``origins``."""

    name: str
    position: int
    relation: str
    sources: tuple[str, ...] = ()
    origins: tuple[int, ...] = ()


#: A flow under neutral names: (variable, relation, sources).
Edge = tuple[int, str, tuple[int, ...]]


class _NotFollowedError(Exception):
    """A statement lacks a part or has a piece of a string for one, or the program is too deep or too long to follow."""


def data_flow(tree: SyntaxTree) -> tuple[Edge, ...]:
    """The edges of a program in the order of the source; none for a program that cannot be followed."""
    if tree.depth > MAX_DEPTH:
        return ()
    try:
        flows = _Tracer(tree.tokens).follow(tree.root, {})
    except _NotFollowedError:
        return ()
    return _neutral(_one_a_place(_connected(sorted(flows, key=lambda flow: flow.position))))


def flow_match(reference: Sequence[Edge], candidate: Sequence[Edge]) -> float:
    """Share of the reference's edges that the candidate has, each counted once; 0 if the reference has none."""
    common = Counter(reference) & Counter(candidate)
    return common.total() / max(1, len(reference))


class _Tracer:
    """Follows a program's statements; states are changed in place, and copied only where control branches."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._steps_left = MAX_STEPS

    def follow(self, node: Node, state: State) -> list[Flow]:
        self._spend(1)
        self._whole(node)
        if node.last == node.first + 1 and (not node.children or node.kind == "string"):
            return self._read(self._tokens[node.first], state)
        match node.kind:
            case "default_parameter":
                return self._default(node, state)
            case "for_in_clause":
                return self._assigned([_part(node, "left")], [node.children[-1]], state)
            case "assignment" | "augmented_assignment":
                return [] if node.child("right") is None else self._assigned(*_sides(node), state)
            case "if_statement":
                return self._branches(node, state)
            case "for_statement" | "while_statement":
                first = self._iteration(node, state)
                return _merged(first + self._iteration(node, state))
            case _:
                clauses = [child for child in node.children if child.kind == "for_in_clause"]
                rest = [child for child in node.children if child.kind != "for_in_clause"]
                return self._sequence([*clauses, *rest], state)

    def _sequence(self, nodes: Iterable[Node], state: State) -> list[Flow]:
        flows: list[Flow] = []
        for node in nodes:  # no comprehension: it would be one more frame for each level of the tree
            flows += self.follow(node, state)
        return flows

    def _read(self, token: Token, state: State) -> list[Flow]:
        if token.fixed:
            return []
        known = state.get(token.text)
        if known is not None:
            self._spend(len(known))
            return [Flow(token.text, token.position, "comesFrom", (token.text,), tuple(known))]
        if token.kind == "identifier":
            state[token.text] = [token.position]
        return [Flow(token.text, token.position, "comesFrom")]

    def _default(self, node: Node, state: State) -> list[Flow]:
        """A parameter with a default, which flows into it."""
        names, value = self._variables(_part(node, "name")), _part(node, "value")
        sources = self._variables(value)
        flows = self.follow(value, state)
        self._spend(len(names) * len(sources))
        for name in names:
            flows += [Flow(name.text, name.position, "comesFrom", (one.text,), (one.position,)) for one in sources]
            state[name.text] = [name.position]
        return flows

    def _assigned(self, left: Sequence[Node], right: Sequence[Node], state: State) -> list[Flow]:
        flows = self._sequence(right, state)
        for target, value in zip(left, right, strict=False):
            names, sources = self._variables(target), self._variables(value)
            texts, places = tuple(one.text for one in sources), tuple(one.position for one in sources)
            self._spend(len(names) * len(sources))
            for name in names:
                flows.append(Flow(name.text, name.position, "computedFrom", texts, places))
                state[name.text] = [name.position]
        return flows

    def _branches(self, node: Node, state: State) -> list[Flow]:
        """Afterwards a variable may have been set in any branch, or before if no ``else`` is there."""
        flows: list[Flow] = []
        taken = self._copy(state)
        ends: list[State] = []
        for child in node.children:
            if child.kind in _BRANCHES:
                ends.append(self._copy(state))
                flows += self.follow(child, ends[-1])
            else:
                flows += self.follow(child, taken)
        ends.append(taken)
        if not any("else" in child.kind for child in node.children):
            ends.append(self._copy(state))
        state.clear()
        for end in ends:
            for name, places in end.items():
                state[name] = state.get(name, []) + places
        for name, places in state.items():
            state[name] = sorted(set(places))
        return flows

    def _iteration(self, node: Node, state: State) -> list[Flow]:
        if node.kind == "while_statement":
            return self._sequence(node.children, state)
        flows = self._assigned(*_sides(node), state)
        return flows + (self.follow(node.children[-1], state) if node.children[-1].kind == "block" else [])

    def _variables(self, node: Node) -> list[Token]:
        self._spend(node.last - node.first)
        self._whole(node)
        return [token for token in self._tokens[node.first : node.last] if not token.fixed]

    def _whole(self, node: Node) -> None:
        """A piece of a string is nothing that flows."""
        if node.quoted:
            raise _NotFollowedError

    def _copy(self, state: State) -> State:
        self._spend(sum(map(len, state.values())))
        return {name: list(places) for name, places in state.items()}

    def _spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise _NotFollowedError


def _part(node: Node, role: str) -> Node:
    """The child of that role. Raises _NotFollowedError without one: no broken code is known that has none, but nothing rules it out."""
    child = node.child(role)
    if child is None:
        raise _NotFollowedError
    return child


def _sides(node: Node) -> tuple[list[Node], list[Node]]:
    """Left and right of an assignment or a ``for``: part by part where both have equally many, else whole against whole."""
    left, right = _part(node, "left"), _part(node, "right")
    parts = [[child for child in side.children if child.kind != ","] for side in (left, right)]
    return (parts[0], parts[1]) if parts[0] and len(parts[0]) == len(parts[1]) else ([left], [right])


def _merged(flows: Iterable[Flow]) -> list[Flow]:
    """One flow for each place and relation, from all passes over a loop."""
    merged: dict[tuple[str, int, str], Flow] = {}
    for flow in flows:
        key = (flow.name, flow.position, flow.relation)
        merged[key] = _union(merged[key], flow) if key in merged else flow
    return list(merged.values())


def _connected(flows: Sequence[Flow]) -> list[Flow]:
    """Those that have an origin, or are one."""
    linked = {flow.position for flow in flows if flow.origins}.union(*(flow.origins for flow in flows))
    return [flow for flow in flows if flow.position in linked]


def _one_a_place(flows: Iterable[Flow]) -> list[Flow]:
    """One flow for each place: that of the last, from the sources of all."""
    merged: dict[int, Flow] = {}
    for flow in flows:
        merged[flow.position] = _union(merged[flow.position], flow) if flow.position in merged else flow
    return list(merged.values())


def _union(first: Flow, last: Flow) -> Flow:
    """``last``, from the sources of both, each named once in the order in which they came."""
    sources = tuple(dict.fromkeys(first.sources + last.sources))
    origins = tuple(dict.fromkeys(first.origins + last.origins))
    return Flow(last.name, last.position, last.relation, sources, origins)


def _neutral(flows: Iterable[Flow]) -> tuple[Edge, ...]:
    """The same with a number for each name, in the order in which they appear: names do not count."""
    numbers: dict[str, int] = {}
    edges = []
    for flow in flows:
        for name in (*flow.sources, flow.name):
            numbers.setdefault(name, len(numbers))
        edges.append((numbers[flow.name], flow.relation, tuple(numbers[name] for name in flow.sources)))
    return tuple(edges)
