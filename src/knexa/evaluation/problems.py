"""A programming problem, in the form of HumanEval: a prompt to complete and a test to run.

Every problem set in KNEXA is a sequence of :class:`Problem`, whatever file it came from, so generation, distillation
and Pass@k are written once.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Problem:
    """One function to synthesise.

    ``prompt``: imports, helper functions, signature and docstring; ends with a newline, so a completion is an indented body.
    ``solution``: a canonical body (empty when unknown). ``test``: source that defines ``check(candidate)`` and asserts.
    ``entry_point``: name of the function that ``check`` receives. ``category``: one of :data:`CATEGORIES`.
    """

    task_id: str
    category: str
    prompt: str
    solution: str
    test: str
    entry_point: str
