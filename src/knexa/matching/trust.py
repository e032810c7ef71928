"""How far an agent's reports are believed: less where they disagree with what all reports together say.

A report is compared with what the bandit expected of that exchange before it heard of it. Honest students are off by the noise; one who
turns its reports round, or claims extremes, is off by more, again and again, and its reports are all that tells it apart. The weight
of a report in the bandit's regression is

    w_i = min(1, (τ · m / s_i)⁶),

s_i the mean squared error of i's reports in an exponential window, m the median of s over all who have reported, τ = TOLERANCE. The
median holds while fewer than half of the reporters lie. What a liar did before it was noticed stays in the regression; so does
an honest agent's surprise, which lowers its own weight for a while and nobody else's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

#: How many times the median error is still believed in full.
TOLERANCE = 2.0
#: Power of the fall beyond that: honest errors differ by less than a factor of two, those of liars by more.
SHARPNESS = 6
#: Weight of the newest report in an agent's error.
RATE = 0.1
#: Weight of a report that is as good as not believed.
LEAST_WEIGHT = 1e-6
#: Reports before an agent is judged.
LEAST_REPORTS = 2


class Credibility:
    """Grows with every report; forgets slowly, so that an agent that was believed less can be believed again.

    Judged are organisations, not agents: whoever enters a hundred agents gets one record, one place in the median, and one agent's
    say, shared among the hundred.
    """

    def __init__(self, organisations: Mapping[str, str] | None = None) -> None:
        """``organisations``: of each agent, by names; an agent that is not in it is an organisation of its own."""
        self._organisations = dict(organisations or {})
        self._members = Counter(self._organisations.values())
        self._errors: dict[str, tuple[int, float]] = {}

    def weight(self, reporter: str) -> float:
        """How much the next report of ``reporter`` counts, in (0, 1]; 1 for a new one, over the number of its organisation's agents."""
        organisation = self._organisations.get(reporter, reporter)
        count, error = self._errors.get(organisation, (0, 0.0))
        share = 1.0 / max(self._members[organisation], 1)
        if count < LEAST_REPORTS or error == 0.0:
            return share
        usual = median(error for _, error in self._errors.values())
        return max(min(1.0, (TOLERANCE * usual / error) ** SHARPNESS) * share, LEAST_WEIGHT)

    def note(self, reporter: str, error: float) -> None:
        """``reporter`` said something ``error`` deviations away from what was expected."""
        organisation = self._organisations.get(reporter, reporter)
        count, mean = self._errors.get(organisation, (0, 0.0))
        rate = max(RATE, 1.0 / (count + 1))
        self._errors[organisation] = (count + 1, mean + rate * (error**2 - mean))

    def state(self) -> dict[str, Any]:
        return {agent: list(entry) for agent, entry in self._errors.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._errors = {agent: (int(count), float(error)) for agent, (count, error) in state.items()}
