"""Who should teach whom *what*: how an exchange's prompt budget is spread over the 12 categories.

A prompt is worth asking where the teacher can answer it, the student cannot, and the student does not hold a verified
answer yet:

    value(c) = able_s(c) · (1 − able_r(c)) · (1 − coverage_r(c))

``able`` is the score on the public probe, smoothed, because a category has only a handful of probe problems and 0 of 5 does
not prove that the teacher knows nothing.

With ``matching.only_better`` a category counts only where the teacher's score is higher than the student's. The coordinator is the one that
knows both, and a share of zero is how it tells the student.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knexa.matching.profile import CATEGORY_COUNT, Profile

Array = NDArray[np.floating[Any]]

#: Assumed probe problems per category, and the successes and failures added to them. Laplace's 1 and 1 would put more than
#: half of a specialist's budget on the categories that it failed entirely; Perks' 0.1 keeps such a category at about 2 %.
PROBE_PROBLEMS = 5.0
PSEUDO_COUNT = 0.1


def able(probe: Array) -> Array:
    """Posterior mean of the solve rate, strictly inside (0, 1), from a probe score in [0, 1]; any shape."""
    return (PROBE_PROBLEMS * probe + PSEUDO_COUNT) / (PROBE_PROBLEMS + 2.0 * PSEUDO_COUNT)


def teaching_value(teacher_probe: Array, student_probe: Array, student_coverage: Array) -> Array:
    """value(c) above, in [0, 1]. The arguments broadcast; the last axis is the category."""
    value: Array = able(teacher_probe) * (1.0 - able(student_probe)) * (1.0 - student_coverage)
    return value


def ahead(teachers: Sequence[Profile], students: Sequence[Profile]) -> NDArray[np.bool_]:
    """Where a teacher's score on the public probe is higher than a student's: [teachers, students, 12]."""
    able_s, able_r = (np.array([agent.probe for agent in agents]) for agents in (teachers, students))
    higher: NDArray[np.bool_] = able_s[:, None, :] > able_r[None, :, :]
    return higher


def curriculum(teacher: Profile, student: Profile, *, only_better: bool = False) -> tuple[float, ...]:
    """Shares of the prompt budget by category; non-negative, sum to 1.

    Uniform where the probe block is off (all zeros), and where the student already holds everything. ``only_better``: zero, in every
    case, where the teacher is not :func:`ahead`; it must be somewhere.
    """
    counted = ahead([teacher], [student])[0, 0] if only_better else np.ones(CATEGORY_COUNT, dtype=bool)
    value = counted * teaching_value(np.array(teacher.probe), np.array(student.probe), np.array(student.coverage))
    if value.sum() <= 0.0:
        value = counted.astype(float)
    return tuple((value / float(value.sum())).tolist())
