from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knexa.errors import SandboxError
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Check, Sandbox, Verdict
from knexa.evaluation.sandbox import sandbox as sandbox_module


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    try:
        opened = Sandbox(timeout_s=1.0, memory_mb=128)
    except SandboxError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


PROGRAMS = {
    "right": ("def f(x): return x + 1", Verdict.PASSED),
    "wrong": ("def f(x): return x", Verdict.FAILED),
    "empty": ("", Verdict.ERROR),
    "rubbish": ("%%% \x00 rubbish", Verdict.ERROR),
    "no function": ("g = 1", Verdict.ERROR),
    "not callable": ("f = 3", Verdict.ERROR),
    "raises": ("def f(x): return x / 0", Verdict.ERROR),
    "raises on import": ("1 / 0", Verdict.ERROR),
    "its own assertion": ("def f(x): assert False", Verdict.FAILED),
    "wrong signature": ("def f(): return 3", Verdict.ERROR),
    "raises a long text in another language": ("def f(x): raise ValueError('a' + '\u00e9' * 299)", Verdict.ERROR),
    "raises something whose text raises": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef f(x): raise Odd",
        Verdict.ERROR,
    ),
    "lone surrogate": ("def f(x): return '\ud800'", Verdict.ERROR),
    "loops": ("def f(x):\n    while True: pass", Verdict.TIMEOUT),
    "hoards": ("def f(x): return [0] * 10**10", Verdict.MEMORY),
}


def test_verdicts_come_in_the_order_of_the_checks(sandbox: Sandbox) -> None:
    """However long each takes and whichever worker takes it, and again in reverse."""
    test = "def check(candidate):\n    assert candidate(1) == 2\n"
    for programs in ([*PROGRAMS.values()] * 2, [*PROGRAMS.values()][::-1]):
        verdicts = sandbox.run([Check(program, test, "f") for program, _ in programs])
        assert verdicts == [expected for _, expected in programs]


def _passes(sandbox: Sandbox, program: str, *lines: str, prelude: str = "") -> bool:
    test = "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)
    ((verdict, why),) = sandbox.explain([Check(program, test, "f", prelude)])
    assert verdict is Verdict.PASSED or why
    return verdict.passed


def test_a_test_sees_arguments_that_were_changed_in_place(sandbox: Sandbox) -> None:
    """Lists, dicts and sets, nested ones and keywords too, and other names for the same container."""
    program = "def f(a, b=None):\n    a[0].append(9)\n    a.reverse()\n    if b: b['k'].add(3)\n    if b: del b['old']"
    lines = ["inner, b = [1], {'k': {1}, 'old': 0}", "a = [inner, 5]", "assert candidate(a, b=b) is None", "assert a == [5, [1, 9]], a"]
    assert _passes(sandbox, program, *lines, "assert b == {'k': {1, 3}}")
    assert _passes(sandbox, "def f(a): a[0].append(9)", "inner = [1]", "candidate([inner])", "assert inner == [1, 9]")


def test_exceptions_of_the_program_reach_the_test_by_type(sandbox: Sandbox) -> None:
    """Built-in types by name, a class of the program's own by its nearest built-in base."""
    lines = ["try: candidate(0)", "except ValueError as error: assert 'why' in str(error)", "else: assert False"]
    assert _passes(sandbox, "def f(x): raise ValueError('why')", *lines)
    assert _passes(sandbox, "class Mine(ValueError): pass\ndef f(x): raise Mine('why')", *lines)
    assert _passes(
        sandbox, "def f(x): '\\ud800'.encode()", "try: candidate(0)", "except Exception as error: assert 'surrogates' in str(error)"
    )
    assert not _passes(sandbox, "def f(x): raise KeyError('why')", *lines)


def test_a_test_that_swallows_everything_does_not_pass_a_program_that_died(sandbox: Sandbox) -> None:
    """A bare except in a test cannot hide that the process is gone, nor that the program never loaded."""
    lines = ["try: candidate(0)", "except: pass"]
    assert _passes(sandbox, "def f(x): raise ValueError", *lines)
    assert not _passes(sandbox, "import os\ndef f(x): os._exit(0)", *lines)
    assert not _passes(sandbox, "syntax error", *lines)


def test_helpers_and_classes_of_the_prelude_serve_test_and_program(sandbox: Sandbox) -> None:
    """A test may call the prompt's helper functions, and pass and receive instances of its classes."""
    prelude = (
        "class Node:\n    def __init__(self, v, next=None): self.v, self.next = v, next\ndef double(x): return 2 * x\ndef f(n): pass\n"
    )
    program = prelude + "def f(n):\n    n.v += 1\n    return Node(double(n.v), n)\n"
    lines = [
        "n = Node(1, Node(7))",
        "r = candidate(n)",
        "assert (r.v, r.next.v, r.next.next.v, n.v) == (double(2), 2, 7, 2)",
        "assert type(r) is Node",
    ]
    assert _passes(sandbox, program, *lines, prelude=prelude)


def test_functions_and_types_as_arguments_are_an_error_or_work_but_never_crash(sandbox: Sandbox) -> None:
    """A built-in type travels by name; a function of the test cannot."""
    assert _passes(sandbox, "def f(x, kind): return isinstance(x, kind)", "assert candidate(1, int)", "assert not candidate('', int)")
    assert not _passes(sandbox, "def f(g): return g()", "candidate(lambda: 1)")


def test_a_sleeping_check_does_not_hold_up_the_others(sandbox: Sandbox) -> None:
    """Six checks that wait for ever and thirty quick ones, on two workers of 1 s, end in far less than six seconds."""
    slow, quick = "import time\ndef f(x): time.sleep(100)", "def f(x): return x"
    began = time.monotonic()
    verdicts = sandbox.run([Check(program, "def check(c): c(1)", "f") for program in ([slow] * 6 + [quick] * 30)])
    assert verdicts == [Verdict.STALLED] * 6 + [Verdict.PASSED] * 30
    assert time.monotonic() - began < 4


def test_waiting_for_the_processor_is_not_charged(sandbox: Sandbox) -> None:
    """Eight programs that each compute for 0.4 s share two cores and pass under a limit of 1 s, where wall time would end them."""
    program = "import time\ndef f(x):\n    while time.process_time() < 0.4: pass"
    assert sandbox.run([Check(program, "def check(c): c(1)", "f")] * 8) == [Verdict.PASSED] * 8


def test_sets_and_random_draws_are_the_same_in_every_check(sandbox: Sandbox) -> None:
    """The order of a set of strings and unseeded draws do not depend on worker or time, so verdicts can be had again."""
    program = "import random\ndef f(x): return [list({'a', 'b', 'c', 'd', 'e', 'f', 'g'}), random.random()]"
    replies = sandbox.explain([Check(program, "def check(c): assert False, c(1)", "f")] * 12)
    assert len(set(replies)) == 1
    assert "a" in replies[0][1]


def test_threads_may_share_a_sandbox(sandbox: Sandbox) -> None:
    """Each caller gets the verdicts on its own checks."""
    results: dict[int, list[Verdict]] = {}

    def ask(number: int) -> None:
        checks = [Check(f"def f(x): return {n}", f"def check(c): assert c(0) == {number}", "f") for n in range(4)]
        results[number] = sandbox.run(checks)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: [v.passed for v in verdicts].index(True) for n, verdicts in results.items()} == {0: 0, 1: 1, 2: 2, 3: 3}


def test_a_problem_and_a_completion_make_a_check(sandbox: Sandbox) -> None:
    """The prompt is continued by the completion; an empty one or prose is no pass and no crash."""
    problem = Problem("p", "mapping", "def f(x):\n    '''Add one.'''\n", "    return x + 1\n", "def check(c): assert c(1) == 2", "f")
    completions = [problem.solution, "    pass\n", "", "I would add one.", "\n\n\n", "    return x + 1\n    return 5"]
    verdicts = sandbox.run([Check.of(problem, completion) for completion in completions])
    assert [verdict.passed for verdict in verdicts] == [True, False, False, False, False, True]


def test_a_broken_worker_is_the_sandboxs_fault_and_a_closed_one_says_so() -> None:
    """SandboxError, not a verdict, when a worker is killed; and a clear word to who goes on using it."""
    try:
        sandbox = Sandbox(timeout_s=30, workers=1)
    except SandboxError as error:
        pytest.skip(str(error))
    killer = threading.Timer(0.3, _kill_children, [sandbox._workers[0]._process.pid])
    killer.start()
    with pytest.raises(SandboxError, match="a worker ended"):
        sandbox.run([Check("while True: pass", "", "f")])
    killer.join()
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run([])


def _kill_children(pid: int) -> None:
    """SIGKILL to ``pid`` and all below it, as the kernel does to a process group that takes too much memory."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        _kill_children(int(child))
    os.kill(pid, signal.SIGKILL)


def test_where_no_backend_works_nothing_runs_and_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap and without Landlock there is no third, weaker way."""
    monkeypatch.setattr(sandbox_module.Worker, "__init__", _refuse)
    with pytest.raises(SandboxError, match=r"nothing was run \(bubblewrap: .*landlock: .*install bubblewrap"):
        Sandbox()


def _refuse(self: object, backend: str, timeout_s: float, memory_mb: int) -> None:
    raise SandboxError(f"{backend} is not here")


@pytest.mark.parametrize("limits", [{"workers": 0}, {"timeout_s": 0.0}, {"memory_mb": 0}])
def test_limits_that_cannot_be_are_refused(limits: dict[str, int]) -> None:
    """Zero workers, seconds or megabytes are a mistake of the caller."""
    with pytest.raises(ValueError, match="must be positive"):
        Sandbox(**limits)  # type: ignore[arg-type]
