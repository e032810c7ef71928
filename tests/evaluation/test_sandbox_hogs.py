"""Programs that take all they can: memory, disk, output, processor, descriptors, time of the judge."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from process_tree import descendants
from sandbox_hogs import HOGS, NAPPERS

from knexa.evaluation.sandbox import Check, Sandbox, Verdict
from knexa.evaluation.sandbox.inside.server import WALL_FACTOR, ending

TIMEOUT_S = 0.5  # of either_sandbox

#: Which limit a program meets first may depend on the machine; that it meets one does not.
_ALIKE = ({Verdict.ERROR, Verdict.MEMORY}, {Verdict.TIMEOUT, Verdict.STALLED})


@pytest.mark.parametrize("name", HOGS)
def test_a_program_that_takes_all_it_can_harms_only_itself(either_sandbox: Sandbox, name: str) -> None:
    """Its verdict comes in time; then no process and no file is left, and the next check is served as ever."""
    program, expected = HOGS[name]
    assert _serves(either_sandbox)  # it has started
    alone = descendants(os.getpid())
    began = time.monotonic()
    (verdict,) = either_sandbox.run([Check(program, "def check(candidate): candidate()", "probe")])
    assert time.monotonic() - began < _deadline()
    assert any({verdict, expected} <= alike for alike in _ALIKE), verdict
    assert descendants(os.getpid()) == alone
    assert [*Path("/tmp").glob("knexa-hog*"), *Path("/var/tmp").glob("knexa-hog*"), *Path("/dev/shm").glob("knexa-hog*")] == []
    assert _serves(either_sandbox)


def _deadline() -> float:
    """Limit and a second. On a machine with more work than cores, which a limit of processor time outlasts, the clock on the wall's."""
    overloaded = os.getloadavg()[0] > (os.cpu_count() or 1)
    return (WALL_FACTOR if overloaded else 1) * TIMEOUT_S + 1


def _serves(sandbox: Sandbox) -> bool:
    return sandbox.run([Check("def probe(): return 1", "def check(candidate): assert candidate() == 1", "probe")]) == [Verdict.PASSED]


def test_a_gigabyte_of_output_costs_nothing(either_sandbox: Sandbox) -> None:
    """What a program prints goes nowhere, and does not reach the test's own output or the verdict's channel."""
    lines = (
        "import os, sys",
        "lot = b'P' * (1 << 20)",
        "def probe():",
        "    for _ in range(1024): os.write(1, lot)",
        "    sys.stdout.write('P' * (1 << 20))",
        "    os.write(2, lot)",
        "    return 1",
    )
    program = "\n".join(lines)
    assert either_sandbox.run([Check(program, "def check(candidate): assert candidate() == 1", "probe")]) == [Verdict.PASSED]


def test_only_a_program_that_used_its_time_on_the_processor_is_over_its_limit() -> None:
    """Idle time ends a check too, and so does the wall's clock, but as stalled: that may be the machine's fault."""
    assert ending(used=1.0, idle=0.0, wall=1.0, timeout_s=1.0) == b"T"
    assert ending(used=0.1, idle=0.9, wall=1.0, timeout_s=1.0) == b"W"
    assert ending(used=0.9, idle=0.0, wall=WALL_FACTOR, timeout_s=1.0) == b"W"
    assert ending(used=0.9, idle=0.0, wall=WALL_FACTOR - 0.1, timeout_s=1.0) is None


@pytest.mark.parametrize("name", NAPPERS)
def test_a_program_that_naps_between_bits_of_work_ends_by_the_clock_on_the_wall(either_sandbox: Sandbox, name: str) -> None:
    """The one that can last longer than its limit and a second: ten times its limit, and then it ends."""
    began = time.monotonic()
    (verdict,) = either_sandbox.run([Check(NAPPERS[name], "def check(candidate): candidate()", "probe")])
    assert time.monotonic() - began < WALL_FACTOR * TIMEOUT_S + 1
    assert verdict in (Verdict.STALLED, Verdict.TIMEOUT)
    assert _serves(either_sandbox)
