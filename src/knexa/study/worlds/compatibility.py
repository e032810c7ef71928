"""World (b), compatibility: an exchange pays where teacher and student fit, which no sum of their numbers can say.

    worth = 0.4 · exp(−(strength_t − strength_s − 0.25)² / 0.04) · (0.2 + 0.8·d) · (1 or 0.7),   d = √JS of their data, in bits

A teacher should be somewhat stronger, but not out of reach; hold other data; and be of another family (1, else 0.7). The form is that
of the published World A (a bump of the difference in performance, times difference in data), made directed. Heterogeneity is in
strengths and data (:mod:`~knexa.study.worlds.world`): with low, leads are 0 ± 0.07 and d about 0.25, so that no pair is far up the bump.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from knexa.matching import Profile
from knexa.matching.context import divergence
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


class CompatibilityWorld(World):
    """Stationary. An agent's strength stands in its profile as Pass@1."""

    title: ClassVar[str] = "compatibility"
    noise = 0.05

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        super().__init__(agents)
        rng = world_stream(seed, self.title)
        strength, histograms = drawn_strengths(agents, heterogeneity, rng), drawn_histograms(agents, heterogeneity, rng)
        families = drawn_families(agents, rng)
        self._profiles = {
            name: profile(name, 1, family=families[i], histogram=histograms[i], metrics={"pass@1": strength[i]})
            for i, name in enumerate(self.names)
        }
        bump = np.exp(-((strength[:, None] - strength[None, :] - 0.25) ** 2) / 0.04)
        unlike = np.array([[1.0 if one != other else 0.7 for other in families] for one in families])
        self._worth: Array = 0.4 * bump * (0.2 + 0.8 * np.sqrt(divergence(histograms))) * unlike

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self._profiles

    def worth(self) -> Array:
        return self._worth
