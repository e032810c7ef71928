"""World A of the published release (arXiv 2601.17133, the labels of its Fig. 2), written anew from its formulas.

Client: performance p, data q over 5 types, family in turn, trust τ. Of a pair, i is the lower index; logarithms are natural:

    d = √JS(q_i, q_j)      m = 1 if the families differ, else 0.7      c = exp(−(|p_i − p_j| − 0.35)² / 0.15)
    b = (0.4·d + 0.3·c + 0.2·m + 0.1·min τ) · (1.5 if d > 0.6 and c > 0.7)
    e = 0.12·b·(1 + 0.6·d) + 0.13·(1 − p_i)·max(0, p_j − p_i) + 0.08·d
    worth = clip(1.5·e − 0.02048, 0, 1)

An exchange moves both agents' Pass@1 P, which starts at p: P += f·worth·(1 − P), f = 0.08. (The release has another f for each
method; here all have one.) It rewards by p, not P, so the worth is stationary. Its random numbers are not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from knexa.matching import CATEGORY_COUNT, Profile
from knexa.matching.context import divergence
from knexa.matching.history import History
from knexa.matching.pairing import Pair
from knexa.study.worlds.world import WORLD_FAMILIES, Array, Heterogeneity, World, profile, world_stream

#: Dirichlet concentration of q.
CONCENTRATION = {"high": 0.5, "low": 5.0}
#: f above: share of an exchange's worth that becomes Pass@1.
GAIN = 0.08
#: Numbers in the release's context; those past the ninth are always 0.
CONTEXT = 16

#: The release's LinUCB by number of agents: β₀ and λ.
_BANDITS = {8: (3.0, 0.25), 16: (2.0, 0.5), 32: (1.5, 0.75), 64: (1.0, 1.0)}


def release_bandit(agents: int) -> tuple[float, float]:
    """β₀ and λ of the release's LinUCB in worlds A and B, taken from the nearest size in its table (of two, the smaller).

    β_t = β₀/√(t + 1), t from 0: ``schedule="sqrt"``, ``exploration=β₀``, ``ridge=λ``. The release adds 1e-4 to A's diagonal as
    well when it solves for θ, which we leave out.
    """
    return _BANDITS[min(_BANDITS, key=lambda size: abs(size - agents))]


class ReleaseWorldA(World):
    """``worth`` is clipped before the noise; the release clips after it. ``performance`` [n] is P, ``trust`` [n] is τ.

    Profiles hold p as Pass@1, and q as the first 5 categories of the histogram. ``describe`` is the release's own context.
    """

    title: ClassVar[str] = "release-a"
    noise = 0.02

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        super().__init__(agents)
        self.limit = min(5, agents // 2)
        initial, data, self.trust = _drawn(agents, heterogeneity, world_stream(seed, self.title))
        self.performance = initial.copy()
        families = [WORLD_FAMILIES[i % len(WORLD_FAMILIES)] for i in range(agents)]
        self._profiles = {
            name: profile(name, 1, family=families[i], histogram=typed(data[i]), metrics={"pass@1": initial[i]})
            for i, name in enumerate(self.names)
        }
        self._difference = distance(data)
        unlike: Array = np.array([[float(one != other) for other in families] for one in families])
        self._worth = _worth(initial, self._difference, unlike, self.trust)
        self.describe = partial(contexts_of, self.names, _contexts(initial, self._difference, unlike, self.trust))

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self._profiles

    def worth(self) -> Array:
        return self._worth

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> None:
        for pair in pairs:
            self.performance[list(pair)] += GAIN * self._worth[pair] * (1.0 - self.performance[list(pair)])

    def welfare(self) -> float:
        """Mean P."""
        return float(self.performance.mean())

    def difference(self) -> Array:
        """d above: in nats under the root, so at most √ln 2 = 0.83."""
        return self._difference


def ordered(agents: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of every pair of agents the lower and the higher index, each [n, n]: i and j of the release's formulas."""
    place = np.arange(agents)
    return np.minimum.outer(place, place), np.maximum.outer(place, place)


def distance(shares: Array) -> Array:
    """Square root of the Jensen-Shannon divergence in nats of each pair of rows: [n, c] -> [n, n]."""
    root: Array = np.sqrt(divergence(shares) * np.log(2.0))
    return root


def typed(data: Array) -> Array:
    """A profile's histogram [12] whose first categories are the types of ``data``, the others empty."""
    return np.pad(data, (0, CATEGORY_COUNT - len(data)))


def contexts_of(names: Sequence[str], X: Array, agents: Sequence[Profile], history: History, round: int, rounds: int) -> Array:
    """The rows and columns of the world's contexts ``X`` [n, n, d] that belong to ``agents``."""
    place = [names.index(agent.agent) for agent in agents]
    chosen: Array = X[np.ix_(place, place)]
    return chosen


def _drawn(agents: int, heterogeneity: Heterogeneity, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """p [n], q [n, 5] and τ [n], drawn client by client, so that a smaller world is the beginning of a larger one."""
    performance, data, trust = np.zeros(agents), np.zeros((agents, 5)), np.zeros(agents)
    for i in range(agents):
        performance[i] = rng.beta(2, 5) if heterogeneity == "high" else np.clip(rng.normal(0.3, 0.05), 0.1, 0.5)
        data[i] = rng.dirichlet([CONCENTRATION[heterogeneity]] * 5)
        trust[i] = rng.beta(8, 2)
        rng.uniform(0.8, 1.2)  # the release draws it, and uses it nowhere
    return performance, data, trust


def _worth(performance: Array, apart: Array, unlike: Array, trust: Array) -> Array:
    i, j = ordered(len(performance))
    ahead = performance[j] - performance[i]
    complement = np.exp(-((np.abs(ahead) - 0.35) ** 2) / 0.15)
    bonus = np.where((apart > 0.6) & (complement > 0.7), 1.5, 1.0)
    benefit = (0.4 * apart + 0.3 * complement + 0.2 * (0.7 + 0.3 * unlike) + 0.1 * np.minimum(trust[i], trust[j])) * bonus
    gain = 0.12 * benefit * (1.0 + 0.6 * apart) + 0.13 * (1.0 - performance[i]) * np.maximum(ahead, 0.0) + 0.08 * apart
    return np.clip(1.5 * gain - 0.02048, 0.0, 1.0)


def _contexts(performance: Array, apart: Array, unlike: Array, trust: Array) -> Array:
    """p_i, p_j, |p_i − p_j|, min p, d, families differ, τ_i, τ_j, min τ, then zeros: [n, n, 16]."""
    i, j = ordered(len(performance))
    p_i, p_j, t_i, t_j = performance[i], performance[j], trust[i], trust[j]
    told = np.stack([p_i, p_j, np.abs(p_i - p_j), np.minimum(p_i, p_j), apart, unlike, t_i, t_j, np.minimum(t_i, t_j)], axis=2)
    return np.pad(told, ((0, 0), (0, 0), (0, CONTEXT - told.shape[2])))
