"""A world in which *what* is taught matters: prompts, answers that are right or wrong, and a memory of what was taught.

There are :data:`PROMPTS` transfer prompts, spread over the 12 categories. Agent i solves a share own_i(k) of category k by itself. In an
exchange the student asks for ``budget`` prompts, spread over categories by the match's curriculum (evenly without one); the teacher
answers each rightly with the probability of its competence. If the federation *verifies*, only right answers are kept, for good, and
prompts that the student holds no answer to are drawn first. If not, nobody knows which answers are right: all prompts are drawn alike, and
every answer replaces what the student held of that prompt, wrong ones too. So

    competence_i(k) = own_i(k) + (1 − own_i(k)) · G · right_i(k) − H · own_i(k) · wrong_i(k),

right and wrong being shares of the category's prompts. An exchange is worth the change of the student's mean competence. Poor teachers
answer everything wrongly, whatever their profile says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from knexa.matching import CATEGORY_COUNT, Profile
from knexa.matching.pairing import Pair
from knexa.study.worlds.transfer import able_profiles, sampled, specialists
from knexa.study.worlds.world import Array, Heterogeneity, World, drawn_families, drawn_histograms, drawn_strengths, world_stream

#: Size of the transfer set, G and H above.
PROMPTS, GROWTH, HARM = 128, 0.7, 0.5
#: Category of each prompt.
CATEGORY: NDArray[np.int64] = np.arange(PROMPTS) % CATEGORY_COUNT
#: What an agent holds of a prompt.
NOTHING, RIGHT, WRONG = 0, 1, 2


class TeachingWorld(World):
    """Welfare is the mean competence. Coverage in a profile is the share of a category's prompts of which the agent holds an answer."""

    title: ClassVar[str] = "teaching"
    noise = 0.01

    def __init__(
        self, agents: int, heterogeneity: Heterogeneity, seed: int, *, budget: int = PROMPTS, verify: bool = True, poor: float = 0.0
    ) -> None:
        """``budget``: prompts of an exchange. ``poor``: share of the agents whose answers are all wrong."""
        super().__init__(agents)
        rng = world_stream(seed, self.title)
        strength = drawn_strengths(agents, heterogeneity, rng)
        self._histograms = drawn_histograms(agents, heterogeneity, rng)
        self._families = drawn_families(agents, rng)
        self._own = specialists(strength, self._histograms)
        self._poor = np.zeros(agents, dtype=bool)
        self._poor[rng.permutation(agents)[: round(poor * agents)]] = True
        self._held = np.full((agents, PROMPTS), NOTHING)
        self._budget, self._verify, self._seed = budget, verify, seed

    @property
    def competence(self) -> Array:
        """Share of each category that each agent solves [n, 12]."""
        right, wrong = self._share(RIGHT), self._share(WRONG)
        solved: Array = self._own + (1.0 - self._own) * GROWTH * right - HARM * self._own * wrong
        return solved

    def profiles(self, round: int) -> Mapping[str, Profile]:
        coverage = self._share(RIGHT) if self._verify else None
        competence = self.competence
        probes = sampled(competence, self._seed, round)
        return able_profiles(self.names, round, self._families, self._histograms, competence, probes, coverage)

    def worth(self) -> Array:
        """About what an exchange without curriculum is worth: the expected change by all prompts, in proportion to the budget."""
        teaching = np.where(self._poor[:, None], 0.0, self.competence)
        missing = 1.0 - self._share(RIGHT)
        gained = (teaching[:, None, :] * ((1.0 - self._own) * missing)[None, :, :]).mean(axis=2)
        worth: Array = GROWTH * gained * min(1.0, self._budget / PROMPTS)
        return worth

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> list[float]:
        before = self.competence
        for (teacher, student), curriculum in zip(pairs, curricula or [()] * len(pairs), strict=True):
            rng = world_stream(self._seed, "exchange", round, teacher, student)
            asked = self._asked(student, curriculum, rng)
            able = 0.0 if self._poor[teacher] else before[teacher][CATEGORY[asked]]
            right = rng.random(len(asked)) < able
            if self._verify:
                self._held[student, asked[right]] = RIGHT
            else:
                self._held[student, asked] = np.where(right, RIGHT, WRONG)
        change = (self.competence - before).mean(axis=1)
        return [float(change[student]) for _, student in pairs]

    def welfare(self) -> float:
        return float(self.competence.mean())

    def kept(self, pair: Pair) -> float:
        if not self._verify:
            return 1.0
        return 0.0 if self._poor[pair[0]] else float(self.competence[pair[0]].mean())

    def _asked(self, student: int, curriculum: Sequence[float], rng: np.random.Generator) -> NDArray[np.int64]:
        """Prompts by the curriculum's shares, or evenly where there is none; if the federation verifies, those without an answer first."""
        shares = np.array(curriculum) if len(curriculum) else np.full(CATEGORY_COUNT, 1.0 / CATEGORY_COUNT)
        lacking = self._held[student] != RIGHT if self._verify else np.ones(PROMPTS, dtype=bool)
        # Gumbel keys draw without replacement in proportion to the shares (Efraimidis & Spirakis 2006).
        keys = np.log(np.maximum(shares[CATEGORY], 1e-12)) + rng.gumbel(size=PROMPTS) + 1e6 * lacking
        return np.argsort(-keys, kind="stable")[: self._budget]

    def _share(self, what: int) -> Array:
        held = (self._held == what).astype(np.float64)
        return np.stack([held[:, category == CATEGORY].mean(axis=1) for category in range(CATEGORY_COUNT)], axis=1)
