"""A problem, in the form of HumanEval: a prompt to complete and, where there is one, a test to run.

Every problem set in KNEXA is a sequence of :class:`Problem`, whatever file it came from, so generation, distillation
and Pass@k are written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The 12 categories of the embedded bank, in the order of every 12-number block of a profile.
CATEGORIES = (
    "arithmetic",
    "number_theory",
    "aggregation",
    "filtering",
    "mapping",
    "ordering",
    "searching",
    "characters",
    "words",
    "dictionaries",
    "pairing",
    "sequences",
)


#: Numbers in every block of a profile that is read by category.
SLOTS = len(CATEGORIES)


def slots(categories: Sequence[str]) -> tuple[str, ...]:
    """``categories``, filled up with nameless ones, in which there is no problem, to :data:`SLOTS`."""
    return (*categories, *[""] * (SLOTS - len(categories)))


@dataclass(frozen=True, slots=True)
class Problem:
    """One function to synthesise; or, with an empty ``test``, one text to complete.

    ``prompt``: imports, helper functions, signature and docstring; ends with a newline, so a completion is an indented body.
    ``solution``: a canonical body, or the right text; never blank. ``test``: source that defines ``check(candidate)`` and
    asserts. ``entry_point``: name of the function that ``check`` receives. ``category``: one of :data:`CATEGORIES`, or of the
    names that a file of one's own gives.
    """

    task_id: str
    category: str
    prompt: str
    solution: str
    test: str
    entry_point: str

    @property
    def runnable(self) -> bool:
        """Whether a completion can be run against a test; if not, it can only be compared with the solution."""
        return bool(self.test)
