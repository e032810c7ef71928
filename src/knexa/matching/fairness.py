"""A bound on unfairness: nobody sits out, and nobody is only ever a student, for more than so many rounds.

A matchmaker that follows benefit alone may leave a weak agent idle, or keep a strong one teaching and its partner learning, for
good. The bound outranks every score: pairing an agent whose turn it is, is worth more than all pairs without one, and teaching
by an agent that has only learned is worth more than letting it learn again. Among pairs that serve fairness equally,
scores decide as before. What is inadmissible stays inadmissible.

Whose turn it is, is looked up ahead: where few can be paired in a round, waiting until several agents' time is up would be too
late for some. Of the agents that must be paired within j rounds, all but those whom the j - 1 later rounds have room for are due
now (the feasibility condition of earliest-deadline scheduling). So the bound is kept whenever any schedule keeps it, and where none
does, those who have waited longest come first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def overruled(scores: Array, waited: Counts, learned: Counts, within: int | None, capacity: int) -> Array:
    """``scores`` [n, n] of t teaching s, with what fairness adds; unchanged where ``within`` is None.

    ``waited`` [n]: rounds in a row without a partner. ``learned`` [n]: exchanges in a row as student. Neither is to exceed
    ``within``. ``capacity``: most agents that can be paired in a round.
    """
    if within is None or np.isnan(scores).all():
        return scores
    # More than any set of disjoint pairs can gain or lose by its scores.
    weight = (len(scores) + 1) * (float(np.nanmax(scores) - np.nanmin(scores)) + 1.0)
    turn, pupil = due(waited, within, capacity), (learned >= within).astype(np.float64)
    # Sitting out is the worse unfairness: one turn outranks all lessons. A pupil is wanted as teacher no less than unwanted as student,
    # else whoever picks pair by pair would pair the others with each other and leave pupils to teach pupils.
    raised: Array = scores + weight * ((len(scores) + 1) * (turn[:, None] + turn[None, :]) + pupil[:, None] - pupil[None, :])
    return raised


def due(waited: Counts, within: int, capacity: int) -> Array:
    """How pressing it is to pair each agent now [n]: of how many groups that will not all have room later it is a member."""
    left = within - waited + 1  # rounds, this one included; none or less where the bound is broken already
    pressing = np.zeros(len(waited))
    for rounds in range(min(1, int(left.min())), within + 2):
        group = left <= rounds
        if group.sum() > capacity * max(rounds - 1, 0):
            pressing += group
    return pressing
