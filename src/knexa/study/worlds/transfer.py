"""World (c), transfer of competence: agents change as they learn, so what was a good pair yesterday is none today.

Agent i solves a share c_i(k) of the problems of category k. When t teaches s,

    c_s += ρ · [max(0, c_t − c_s) − κ · max(0, c_s − c_t)]

category by category: what the teacher does better is learned, what it does worse is unlearned a little. The worth of the exchange is
the mean of this change over the 12 categories. Between rounds everybody drifts back towards what its own data teach,
c += φ · (c_own − c), as local updates make an agent forget what others taught.

c_own is that of a specialist (:func:`specialists`) whose strength and data have high or low heterogeneity
(:mod:`~knexa.study.worlds.world`): with low all solve about as much of every category, and there is less to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from knexa.matching import Profile
from knexa.matching.pairing import Pair
from knexa.study.worlds.world import (
    Array,
    Heterogeneity,
    World,
    drawn_families,
    drawn_histograms,
    drawn_strengths,
    profile,
    world_stream,
)

#: ρ, κ and φ above.
TRANSFER, HARM, FORGETTING = 0.5, 0.3, 0.1
#: Probe problems a category: what a profile says of a competence is a sample.
PROBE_PROBLEMS = 5


class TransferWorld(World):
    """Welfare is the mean competence. The probe block holds noisy scores, drawn anew each round; Pass@1 is weighted by own data."""

    title: ClassVar[str] = "transfer"
    noise = 0.03

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int, *, exact_probe: bool = False) -> None:
        """``exact_probe``: profiles hold the competences themselves, to tell what sampling them costs."""
        super().__init__(agents)
        rng = world_stream(seed, self.title)
        strength = drawn_strengths(agents, heterogeneity, rng)
        self._histograms = drawn_histograms(agents, heterogeneity, rng)
        self._families = drawn_families(agents, rng)
        self._own = specialists(strength, self._histograms)
        self.competence = self._own.copy()
        self._seed, self._exact = seed, exact_probe

    def profiles(self, round: int) -> Mapping[str, Profile]:
        probes = self.competence if self._exact else sampled(self.competence, self._seed, round)
        return able_profiles(self.names, round, self._families, self._histograms, self.competence, probes)

    def worth(self) -> Array:
        change: Array = self._change(self.competence[:, None, :], self.competence[None, :, :]).mean(axis=2)
        return change

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> None:
        teachers, students = [t for t, _ in pairs], [s for _, s in pairs]
        self.competence[students] += self._change(self.competence[teachers], self.competence[students])
        self.competence += FORGETTING * (self._own - self.competence)

    def welfare(self) -> float:
        return float(self.competence.mean())

    def kept(self, pair: Pair) -> float:
        return float(self.competence[pair[0]].mean())

    def _change(self, teacher: Array, student: Array) -> Array:
        ahead = teacher - student
        change: Array = TRANSFER * (np.maximum(ahead, 0.0) - HARM * np.maximum(-ahead, 0.0))
        return change


def able_profiles(
    names: Sequence[str],
    round: int,
    families: Sequence[str],
    histograms: Array,
    competence: Array,
    probes: Array,
    coverage: Array | None = None,
) -> dict[str, Profile]:
    """What agents of ``competence`` [n, 12] report: Pass@1 on data like their own, and ``probes`` [n, 12]."""
    performance = (histograms * competence).sum(axis=1)
    return {
        name: profile(
            name,
            round,
            family=families[i],
            histogram=histograms[i],
            metrics={"pass@1": performance[i], "loss": 1.0 - performance[i]},
            probe=probes[i],
            coverage=None if coverage is None else coverage[i],
        )
        for i, name in enumerate(names)
    }


def sampled(competence: Array, seed: int, round: int) -> Array:
    """What a probe of few problems says of ``competence`` [n, 12]; other problems every round."""
    return world_stream(seed, "probe", round).binomial(PROBE_PROBLEMS, competence) / PROBE_PROBLEMS


def specialists(strength: Array, histograms: Array) -> Array:
    """What agents of ``strength`` [n] solve by themselves, by category [n, 12]: most where their data are.

    A tenth of an agent's data makes it half a specialist of a category.
    """
    special = histograms / (histograms + 0.1)
    return np.clip(strength[:, None] * 0.4 + (0.4 + strength[:, None]) * special, 0.0, 0.95)
