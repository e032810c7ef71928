"""What the checker remembers of the sandbox's verdicts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from knexa.errors import SandboxError
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Check, Sandbox, Verdict
from knexa.participant.measure import Checker

PROBLEM = Problem("p", "mapping", "def f(x):\n", "    return x + 1\n", "def check(c): assert c(1) == 2", "f")
SLEEPER = "    import time\n    time.sleep(1000)\n"


@dataclass
class Counted:
    """A sandbox that counts what it runs; ``stalls``: so many verdicts come as those of a machine too busy to run anything."""

    sandbox: Sandbox
    stalls: int = 0
    ran: list[str] = field(default_factory=list)

    def run(self, checks: Sequence[Check]) -> list[Verdict]:
        self.ran += [check.program for check in checks]
        verdicts = self.sandbox.run(checks)
        late = min(self.stalls, len(verdicts))
        self.stalls -= late
        return [Verdict.STALLED] * late + verdicts[late:]


@pytest.fixture
def counted() -> Iterator[Counted]:
    try:
        opened = Sandbox(timeout_s=0.3, workers=1)
    except SandboxError as error:
        pytest.skip(str(error))
    with opened:
        yield Counted(opened)


def test_a_verdict_is_asked_for_once(counted: Counted) -> None:
    """Right or wrong: the same program for the same problem is not run again."""
    checker = Checker(counted)  # type: ignore[arg-type]
    for _ in range(2):
        assert checker.passed([PROBLEM] * 3, ["    return x + 1\n", "    return x\n", "    return x\n"]).tolist() == [True, False, False]
    assert len(counted.ran) == 2


def test_a_right_program_that_stalled_once_is_right(counted: Counted) -> None:
    """It is tried again at once, and what the second try says is remembered."""
    counted.stalls = 1
    checker = Checker(counted)  # type: ignore[arg-type]
    assert checker.passed([PROBLEM], ["    return x + 1\n"]).tolist() == [True]
    assert checker.passed([PROBLEM], ["    return x + 1\n"]).tolist() == [True]
    assert len(counted.ran) == 2


def test_a_right_program_that_stalled_twice_is_no_pass_now_and_has_another_chance(counted: Counted) -> None:
    """Two tries an asking are all; the next asking does not find the verdict of a busy machine."""
    counted.stalls = 2
    checker = Checker(counted)  # type: ignore[arg-type]
    assert checker.passed([PROBLEM], ["    return x + 1\n"]).tolist() == [False]
    assert checker.passed([PROBLEM], ["    return x + 1\n"]).tolist() == [True]
    assert len(counted.ran) == 3


def test_a_program_that_sleeps_is_tried_twice_and_one_that_computes_too_long_once(counted: Counted) -> None:
    """From outside, a sleeper looks like a program on a busy machine; one that used its limit up does not."""
    checker = Checker(counted)  # type: ignore[arg-type]
    began = time.monotonic()
    assert checker.passed([PROBLEM], [SLEEPER]).tolist() == [False]
    assert time.monotonic() - began < 3
    assert len(counted.ran) == 2
    (verdict,) = counted.sandbox.run([Check.of(PROBLEM, "    while True: pass\n")])
    assert verdict in (Verdict.TIMEOUT, Verdict.STALLED)
    assert Verdict.TIMEOUT.final
    assert not Verdict.STALLED.final
