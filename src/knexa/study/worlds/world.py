"""What a synthetic world is: agents with profiles, the true worth of every exchange, and what exchanges change.

A world answers with expectations; :func:`knexa.study.trajectory.simulate` adds the noise, which depends on seed, round and pair
only. So every method meets the same dynamics, and equal choices earn equal rewards.

How different agents are is drawn as in the published world A:

    heterogeneity   strength                             data (shares of 12 categories)
    high            Beta(2, 5): 0.29 ± 0.16              Dirichlet(0.1): √JS of two agents about 0.86
    low             N(0.3, 0.05), clipped to [0.1, 0.5]  Dirichlet(5): about 0.25
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from knexa.matching import CATEGORY_COUNT, METRICS, Profile, family_block
from knexa.matching.context import Describe, divergence
from knexa.matching.pairing import Pair
from knexa.randomness import stream

Array = NDArray[np.float64]
Heterogeneity = Literal["high", "low"]

#: Dirichlet concentration of the agents' data histograms.
CONCENTRATION = {"high": 0.1, "low": 5.0}

#: The backbone families that agents of a world are drawn from, as in the paper's fleet.
WORLD_FAMILIES = ("qwen2", "gpt2", "bloom", "gpt_neox")


class World(ABC):
    """``names``: the agents, sorted, so that position i of every array is agent i.

    ``noise``: standard deviation of a reward. ``limit``: most pairs a round (None: as many as fit). ``describe``: the world's own
    contexts, for methods that use those; None where there are none.
    """

    title: ClassVar[str]
    noise: float = 0.1
    limit: int | None = None
    describe: Describe | None = None

    def __init__(self, agents: int) -> None:
        self.names = tuple(f"agent-{number:04d}" for number in range(agents))

    @abstractmethod
    def profiles(self, round: int) -> Mapping[str, Profile]:
        """What the agents report at the start of ``round`` (from 1)."""

    @abstractmethod
    def worth(self) -> Array:
        """Expected reward of t teaching s in the present state, [n, n]; the diagonal means nothing."""

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> Sequence[float] | None:
        """The pairs meet in ``round``, each with its curriculum (none where empty): change the state.

        Returns what each pair was worth where that is not what :meth:`worth` expected, else None.
        """
        return None

    def welfare(self) -> float | None:
        """How well off the federation is in a world that changes; None where only the worth of exchanges counts."""
        return None

    def reported(self, pair: Pair, reward: float, round: int) -> float:
        """What the student of ``pair`` says that it earned, given what it did."""
        return reward

    def kept(self, pair: Pair) -> float:
        """Share of the teacher's texts that passes verification; 1/2 in worlds that verify nothing."""
        return 0.5

    def difference(self) -> Array:
        """How different the agents' data are: square root of the Jensen-Shannon divergence in bits, [n, n]."""
        profiles = self.profiles(1)
        return np.sqrt(divergence(np.array([profiles[name].histogram for name in self.names])))


def drawn_histograms(agents: int, heterogeneity: Heterogeneity, rng: np.random.Generator) -> Array:
    """Shares of each agent's data by category [n, 12]."""
    return rng.dirichlet([CONCENTRATION[heterogeneity]] * CATEGORY_COUNT, agents)


def drawn_strengths(agents: int, heterogeneity: Heterogeneity, rng: np.random.Generator) -> Array:
    """How able each agent is [n], in (0, 1): widely spread (Beta(2, 5)) or nearly equal (0.3 ± 0.05)."""
    return rng.beta(2, 5, agents) if heterogeneity == "high" else np.clip(rng.normal(0.3, 0.05, agents), 0.1, 0.5)


def drawn_families(agents: int, rng: np.random.Generator) -> list[str]:
    return [WORLD_FAMILIES[index] for index in rng.integers(len(WORLD_FAMILIES), size=agents)]


def profile(
    name: str,
    round: int,
    *,
    family: str,
    histogram: Array,
    metrics: Mapping[str, float],
    probe: Array | None = None,
    coverage: Array | None = None,
) -> Profile:
    """A profile whose metrics are 0 but for ``metrics``, and whose probe and coverage blocks are off where None."""
    return Profile(
        agent=name,
        round=round,
        family=family_block(family),
        metrics=tuple(float(metrics.get(key, 0.0)) for key in METRICS),
        histogram=tuple(histogram.tolist()),
        probe=(0.0,) * CATEGORY_COUNT if probe is None else tuple(probe.tolist()),
        coverage=(0.0,) * CATEGORY_COUNT if coverage is None else tuple(coverage.tolist()),
    )


def world_stream(seed: int, *name: str | int) -> np.random.Generator:
    """The stream that a world's own draws come from."""
    return stream(seed, "world", *name)
