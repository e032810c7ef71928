"""World C of the published release (arXiv 2601.17133), written anew from its formulas.

    worth = wᵀ[c_i, c_j],   i the lower index;   w ~ N(0, I) with |w| = 1;   c_i ~ N(0, I) + 0.25·sin(linspace(0, 2π, 16) + i)

with every c_i shifted and scaled to mean 0 and standard deviation 1. The worth is linear in the context that the method sees, and
additive: an agent is worth w₁ᵀc as the lower of a pair and w₂ᵀc as the higher, whoever the other is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np

from knexa.matching import CATEGORY_COUNT, Profile
from knexa.study.worlds.release_a import contexts_of, ordered
from knexa.study.worlds.world import WORLD_FAMILIES, Array, Heterogeneity, World, profile, world_stream

#: Numbers that describe an agent.
WIDTH = 16
#: β₀ and λ of the release's LinUCB here: β_t = β₀/√t, t from 1 (``schedule="sqrt"``), whatever the number of agents.
RELEASE_BANDIT = (1.25, 1.0)


class ReleaseWorldC(World):
    """Stationary; the worth is of either sign and unbounded, as in the release. Profiles tell nothing, ``describe`` all.

    The release also derives a Pass@1 from a round's mean reward, clip(0.3·mean + 0.1, 0, 1); judged is the worth itself.
    """

    title: ClassVar[str] = "release-c"
    noise = 0.15

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        """Raises ValueError unless ``heterogeneity`` is "high"."""
        if heterogeneity != "high":
            raise ValueError(f"world {self.title} has no heterogeneity to set: its formula knows one kind of agent; ask for 'high'")
        super().__init__(agents)
        self.limit = agents // 2
        rng = world_stream(seed, self.title)
        weights = rng.normal(size=2 * WIDTH)
        numbers = np.array([_drawn(i, rng) for i in range(agents)])
        i, j = ordered(agents)
        contexts: Array = np.concatenate([numbers[i], numbers[j]], axis=2)
        self._worth: Array = contexts @ (weights / np.linalg.norm(weights))
        self.describe = partial(contexts_of, self.names, contexts)
        uniform = np.full(CATEGORY_COUNT, 1.0 / CATEGORY_COUNT)
        self._profiles = {
            name: profile(name, 1, family=WORLD_FAMILIES[i % len(WORLD_FAMILIES)], histogram=uniform, metrics={})
            for i, name in enumerate(self.names)
        }

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self._profiles

    def worth(self) -> Array:
        return self._worth


def _drawn(agent: int, rng: np.random.Generator) -> Array:
    """c of the agent numbered ``agent``, [16]."""
    numbers: Array = rng.normal(size=WIDTH) + 0.25 * np.sin(np.linspace(0.0, 2.0 * np.pi, WIDTH) + agent)
    standard: Array = (numbers - numbers.mean()) / numbers.std()
    return standard
