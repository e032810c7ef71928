"""World (a), additive: an exchange is worth something of the teacher's plus something of the student's, w_tᵀp_t + w_sᵀp_s.

Here the paper's concatenated context says everything. Who is paired with whom makes no difference, who teaches does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from knexa.matching import METRICS, Profile
from knexa.matching.context import scaled
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

#: Mean and standard deviation of the worth over all pairs, in nats.
MEAN, SPREAD = 0.1, 0.15


class AdditiveWorld(World):
    """Stationary. The weights are drawn for each seed over the 32 numbers of a profile, as ``concat`` scales them."""

    title: ClassVar[str] = "additive"

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        super().__init__(agents)
        rng = world_stream(seed, self.title)
        strengths, histograms = drawn_strengths(agents, heterogeneity, rng), drawn_histograms(agents, heterogeneity, rng)
        families = drawn_families(agents, rng)
        spread = 0.3 if heterogeneity == "high" else 0.05
        measured = np.clip(strengths[:, None] + spread * rng.normal(size=(agents, len(METRICS))), 0.0, 1.0)
        self._profiles = {
            name: profile(name, 1, family=families[i], histogram=histograms[i], metrics=dict(zip(METRICS, measured[i], strict=True)))
            for i, name in enumerate(self.names)
        }
        numbers = np.array([scaled(self._profiles[name]) for name in self.names])
        teaching, learning = (numbers @ rng.normal(size=numbers.shape[1]) for _ in range(2))
        total = teaching[:, None] + learning[None, :]
        self._worth: Array = MEAN + SPREAD * (total - total.mean()) / total.std()

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self._profiles

    def worth(self) -> Array:
        return self._worth
