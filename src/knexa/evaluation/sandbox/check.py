"""One question to the sandbox, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from knexa.evaluation.problems import Problem


@dataclass(frozen=True, slots=True)
class Check:
    """Does ``program`` pass ``test``?

    ``program``: untrusted source that defines ``entry_point``. ``test``: source that defines ``check(candidate)``.
    ``prelude``: trusted source that the test may need, run beside the test: the prompt's imports, helper functions and
    classes. An instance of a class that the prelude defines may be passed to the program; else only plain data may.
    """

    program: str
    test: str
    entry_point: str
    prelude: str = ""

    @classmethod
    def of(cls, problem: Problem, completion: str) -> Check:
        """Does ``problem``'s prompt, continued by ``completion``, pass the problem's test?"""
        return cls(problem.prompt + completion, problem.test, problem.entry_point, problem.prompt + "\n    pass\n")


class Verdict(Enum):
    """What became of a program. Everything that it may do to itself is one of these, never an exception."""

    PASSED = "P"
    #: The test's own assertion did not hold.
    FAILED = "F"
    #: Does not compile, raises, ends its own process, or answers with something that is not plain data.
    ERROR = "E"
    #: Used up its time limit on the processor: it would again.
    TIMEOUT = "T"
    #: Ended by the clock on the wall with processor time to spare: it slept or waited, or the machine was too busy to run it.
    STALLED = "W"
    #: Raised MemoryError, or was killed by the kernel for want of memory.
    MEMORY = "M"

    @property
    def passed(self) -> bool:
        return self is Verdict.PASSED

    @property
    def final(self) -> bool:
        """Whether the same check would end so again. Not so for one that stalled: a less busy machine may say otherwise."""
        return self is not Verdict.STALLED
