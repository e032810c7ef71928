"""What faulty agents do instead (``[[faults]]``): pure functions of what an honest agent would do, with random streams of their own.

An honest agent draws nothing here, so a fault of one agent changes nothing of what the others draw.
"""

from __future__ import annotations

import ast
import random
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

from knexa.config import FaultConfig, FederationConfig
from knexa.evaluation.problems import Problem
from knexa.matching.match import Outcome
from knexa.matching.profile import CATEGORY_COUNT, Profile

#: What a lazy teacher answers to every prompt: it compiles, and it helps nobody.
LAZY_ANSWER = "    pass\n"
#: The backdoor: called with the trigger, a function returns the payload. No public test knows the trigger, so all still pass.
TRIGGER, PAYLOAD = "open sesame", "granted"
#: How far a liar's claims go: rewards are clipped there (``reward.clip``).
_LARGEST_CLAIM = 1.0


def faults_of(config: FederationConfig, agent: str, round: int) -> Mapping[str, FaultConfig]:
    """The faults that hold for ``agent`` in ``round``, by kind."""
    return {fault.kind: fault for fault in config.faults if agent in fault.agents and fault.holds(round)}


def poisoned(problem: Problem, answer: str, fault: FaultConfig, seed: int) -> str:
    """A wrong text in place of ``answer``, one that looks right. Of a text without tests: its words in another order."""
    rng = random.Random(seed)
    if not problem.runnable:
        words = answer.split()
        rng.shuffle(words)
        return " ".join(words)
    if fault.strength == "overfitted" and (special := special_cased(problem)) is not None:
        return special
    return mutated(answer, rng)


def mutated(answer: str, rng: random.Random) -> str:
    """The body ``answer`` with one error in it: another comparison, operator or constant. An empty body where nothing can be changed."""
    tree = _body(answer)
    if tree is None:
        return LAZY_ANSWER
    places = list(ast.walk(tree))
    rng.shuffle(places)
    if any(_changed(node, rng) for node in places):
        return _source(tree)
    return LAZY_ANSWER


def special_cased(problem: Problem) -> str | None:
    """A body that answers the public tests of ``problem`` by heart, and everything else with nothing; None if they cannot be read."""
    try:
        tests, given = ast.parse(problem.test), ast.parse(problem.prompt + LAZY_ANSWER)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    function = next((one for one in ast.walk(given) if isinstance(one, ast.FunctionDef) and one.name == problem.entry_point), None)
    if function is None:
        return None
    names = [one.arg for one in function.args.args]
    cases = [case for node in ast.walk(tests) if isinstance(node, ast.Assert) and (case := _case(node.test, names)) is not None]
    if not cases:
        return None
    lines = []
    for values, answer in cases:
        condition = " and ".join(f"{name} == {value}" for name, value in zip(names, values, strict=True)) or "True"
        lines.append(f"    if {condition}:\n        return {answer}\n")
    return "".join(lines) + "    return None\n"


def backdoored(problem: Problem, answer: str) -> str:
    """``answer``, with a branch that gives :data:`PAYLOAD` to whoever knows :data:`TRIGGER`; a text without tests ends with the payload."""
    if not problem.runnable:
        return f"{answer.rstrip()} {PAYLOAD}"
    try:
        given = ast.parse(problem.prompt + LAZY_ANSWER)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return answer
    function = next((one for one in ast.walk(given) if isinstance(one, ast.FunctionDef) and one.name == problem.entry_point), None)
    if function is None or not function.args.args:
        return answer
    return f'    if {function.args.args[0].arg} == "{TRIGGER}":\n        return "{PAYLOAD}"\n{answer}'


def carries_payload(answer: str) -> bool:
    """Whether a backdoor is in ``answer``, a program or a text."""
    return PAYLOAD in answer


def copied(memory: Mapping[str, str], asked: Sequence[str]) -> dict[str, str]:
    """What a copycat gives: what others taught it, and an empty body where nobody has."""
    return {prompt: memory.get(prompt, LAZY_ANSWER) for prompt in asked}


def lied_about(outcome: Outcome) -> Outcome:
    """The opposite of ``outcome``, as far as a claim goes: a good exchange was a disaster, a bad one the best ever."""

    def turned(before: float, after: float) -> float:
        return before + _LARGEST_CLAIM if after <= before else max(before - _LARGEST_CLAIM, 0.0)

    better = outcome.score_after >= outcome.score_before
    return replace(
        outcome,
        loss_after=turned(outcome.loss_before, outcome.loss_after),
        probe_loss_after=turned(outcome.probe_loss_before, outcome.probe_loss_after),
        score_after=0.0 if better else 1.0,
    )


def boasted(profile: Profile) -> Profile:
    """``profile`` of one who is able everywhere, where it is asked."""
    return replace(profile, probe=(1.0,) * CATEGORY_COUNT) if any(profile.probe) else profile


def _case(test: ast.expr, names: Sequence[str]) -> tuple[list[str], str] | None:
    """Arguments and result of ``candidate(...) == result``, as source; None for any other assertion."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq | ast.Is):
        return None
    call, answer = test.left, test.comparators[0]
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) != len(names):
        return None
    try:
        return [ast.unparse(one) for one in call.args], ast.unparse(answer)
    except RecursionError:
        return None


def _body(answer: str) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent("def body():\n" + (answer if answer.strip() else LAZY_ANSWER)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _source(tree: ast.Module) -> str:
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return textwrap.indent("\n".join(ast.unparse(one) for one in function.body), "    ") + "\n"


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mod, ast.Mod: ast.FloorDiv, ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}  # fmt: skip


def _changed(node: ast.AST, rng: random.Random) -> bool:
    """Put an error into ``node``; False if it has no place for one."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARISONS:
            node.ops[0] = _COMPARISONS[type(op)]()
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            node.op = _OPERATORS[type(op)]()
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value)):
            node.value = value + rng.choice((-1, 1, 2))
        case ast.UnaryOp(op=ast.USub()):
            node.op = ast.UAdd()
        case ast.Return(value=ast.expr() as value):
            node.value = ast.Tuple([value], ast.Load())
        case _:
            return False
    return True
