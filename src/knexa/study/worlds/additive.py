"""World (a), additive: an exchange is worth something of the teacher's plus something of the student's, w_tᵀp_t + w_sᵀp_s.

Here the paper's concatenated context says everything. Who is paired with whom makes no difference, who teaches does.

An agent's 12 metrics are its strength plus N(0, s), clipped to [0, 1]. High heterogeneity: s = 0.3, strengths and data as
:mod:`~knexa.study.worlds.world` draws them, and a worth is MEAN + SPREAD · (total − mean total) / deviation of the totals. Low: s = 0.05,
strengths and data drawn for low, one family for all, and the *same* weights and deviation as with high in that seed. So agents that
differ less are worth less different things: a worth is not stretched to the same spread again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from knexa.matching import METRICS, Profile
from knexa.matching.context import scaled
from knexa.study.worlds.world import (
    WORLD_FAMILIES,
    Array,
    Heterogeneity,
    World,
    drawn_families,
    drawn_histograms,
    drawn_strengths,
    profile,
    world_stream,
)

#: Mean and, with high heterogeneity, standard deviation of the worth over all pairs, in nats.
MEAN, SPREAD = 0.1, 0.15
#: s above.
METRIC_SPREAD = {"high": 0.3, "low": 0.05}


class AdditiveWorld(World):
    """Stationary. The weights are drawn for each seed over the 32 numbers of a profile, as ``concat`` scales them."""

    title: ClassVar[str] = "additive"

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        super().__init__(agents)
        rng = world_stream(seed, self.title)
        self._profiles, numbers = _drawn(self.names, "high", rng)
        teaching, learning = (rng.normal(size=(numbers.shape[1],)) for _ in range(2))
        unit = _totals(numbers, teaching, learning).std()
        if heterogeneity == "low":
            self._profiles, numbers = _drawn(self.names, "low", world_stream(seed, self.title, "low"))
        total = _totals(numbers, teaching, learning)
        self._worth: Array = MEAN + SPREAD * (total - total.mean()) / unit

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self._profiles

    def worth(self) -> Array:
        return self._worth


def _drawn(names: Sequence[str], heterogeneity: Heterogeneity, rng: np.random.Generator) -> tuple[dict[str, Profile], Array]:
    """Profiles by name, and their 32 numbers as ``concat`` scales them [n, 32]."""
    agents = len(names)
    strengths, histograms = drawn_strengths(agents, heterogeneity, rng), drawn_histograms(agents, heterogeneity, rng)
    families = drawn_families(agents, rng) if heterogeneity == "high" else [WORLD_FAMILIES[0]] * agents
    noise = METRIC_SPREAD[heterogeneity] * rng.normal(size=(agents, len(METRICS)))
    measured = np.clip(strengths[:, None] + noise, 0.0, 1.0)
    profiles = {
        name: profile(name, 1, family=families[i], histogram=histograms[i], metrics=dict(zip(METRICS, measured[i], strict=True)))
        for i, name in enumerate(names)
    }
    return profiles, np.array([scaled(profiles[name]) for name in names])


def _totals(numbers: Array, teaching: Array, learning: Array) -> Array:
    """Of every pair (teacher, student) the sum of what each brings, [n, n]."""
    totals: Array = (numbers @ teaching)[:, None] + (numbers @ learning)[None, :]
    return totals
