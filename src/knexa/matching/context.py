"""What the bandit sees of a pair: one feature vector per ordered pair (teacher, student), built for all pairs at once.

``concat`` is the paper's x = [p_s, p_r]. A linear model of it is additive, θᵀx = θ₁ᵀp_s + θ₂ᵀp_r: for given teachers and
given students every way to pair them totals the same, so it can learn who teaches well and who learns well, never who is
good *for whom*.

``gap`` (ours, the default) describes the pair instead: where the teacher is ahead of the student and by how much, how
their data overlap, whether they met lately, whose turn it is. It has 18 numbers, and a prior, so that the 60 rewards of a usual
run are enough to correct it.

``joint`` is both, one after the other: for agents of whom more matters than what the gap shows. Its 82 numbers need more rewards.

All features lie in [-1, 1], so that one ridge λ and one exploration β fit them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from knexa.matching.gaps import Gaps, tiles
from knexa.matching.history import History
from knexa.matching.population import LOSS_UNIT, Population
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, METRICS, Profile

Array = NDArray[np.float64]
Kind = Literal["concat", "gap", "joint"]

#: From the agents of a round (sorted by name), the history, the round (from 1) and the number of rounds to X[n, n, d].
Describe = Callable[[Sequence[Profile], History, int, int], Array]

_PROFILE_NUMBERS = tuple(
    [f"family:{name}" for name in FAMILIES] + [f"metric:{name}" for name in METRICS] + [f"share:{c}" for c in range(CATEGORY_COUNT)]
)

CONCAT_FEATURES = tuple(f"{role}.{name}" for role in ("teacher", "student") for name in _PROFILE_NUMBERS)

#: The ``gap`` features, and what a linear model should think of each before any reward: the mean of its prior, in standard
#: deviations of the reward per unit of the feature. Three say almost all: what a prompt gains, whether the teacher's claims
#: were borne out, and whose turn it is to learn. Without turns strong agents teach for good and never learn, which cost
#: small federations more than good pairs gained them.
GAP_PRIOR = {
    "bias": 0.0,
    "value": 0.0,  # Σ_c v(c), v(c) = able_s (1 − able_r)(1 − coverage_r): all that the student could still gain
    "yield": 1.0,  # Σ_c v(c)² / Σ_c v(c): what one prompt gains when the curriculum spreads the budget
    "trusted_yield": 4.0,  # yield times the teacher's trust: the gain it claims, as far as its students confirmed it
    "lead": 0.0,  # Σ_c max(0, probe_s − probe_r)
    "behind": 0.0,  # Σ_c max(0, probe_r − probe_s)
    "overlap": 0.0,  # Σ_c min of the data histograms
    "divergence": 0.0,  # Jensen-Shannon divergence of the data histograms, in bits
    "same_family": 0.0,
    "recency": 0.0,  # how recently the two met, in either direction
    "teacher_strength": 0.0,  # mean probe score; Pass@1 on local validation where nobody has a probe
    "student_strength": 0.0,
    "teacher_success": 0.0,
    "student_success": 0.0,
    "student_turn": 1.0,  # how much more often the student has taught than learned
    "teacher_trust": 0.0,
    "round": 0.0,  # share of the rounds that are over
    "mean_loss": 0.0,  # of all agents
}

#: Where prompts are not chosen by a curriculum, one gains the plain mean of v(c), and trust has no yield to qualify.
_UNGUIDED = {"yield": 0.0, "trusted_yield": 0.0, "value": 1.25, "teacher_trust": 0.5}

#: Where no profile has a probe, all pairs have the same yield; what is left is who is strong.
_UNPROBED = {"teacher_strength": 1.0}

GAP_FEATURES = tuple(GAP_PRIOR)


#: What describes a pair as such, for bandits that look for more than sums (:class:`~knexa.matching.bandits.KernelUCB`).
PAIR_FEATURES = ("divergence", "same_family", "lead", "behind", "yield", "teacher_strength", "student_strength")


def features(kind: Kind) -> tuple[str, ...]:
    """Names of the d numbers of a context."""
    return {"concat": CONCAT_FEATURES, "gap": GAP_FEATURES, "joint": GAP_FEATURES + CONCAT_FEATURES}[kind]


def pair_columns(kind: Kind) -> tuple[int, ...]:
    """Places of :data:`PAIR_FEATURES` in a context; all of it where a kind has none of them (``concat``)."""
    named = tuple(place for place, name in enumerate(features(kind)) if name in PAIR_FEATURES)
    return named or tuple(range(len(features(kind))))


def prior(kind: Kind, curriculum: bool, probe: bool) -> tuple[float, ...]:
    """θ₀ of the bandit: :data:`GAP_PRIOR`, adapted to which extensions are on; zero for the paper's ``concat``."""
    unknown = (0.0,) * len(CONCAT_FEATURES)
    if kind == "concat":
        return unknown
    believed = GAP_PRIOR | ({} if curriculum else _UNGUIDED) | ({} if probe else _UNPROBED)
    return tuple(believed.values()) if kind == "gap" else (*believed.values(), *unknown)


def contexts(kind: Kind, agents: Sequence[Profile], history: History, round: int, rounds: int) -> Array:
    """X[n, n, d] with ``X[t, s]`` the context of t teaching s; the diagonal means nothing. ``round`` counts from 1."""
    if kind == "concat":
        return concat(agents)
    pairs = gap(agents, history, round, rounds)
    return pairs if kind == "gap" else np.concatenate([pairs, concat(agents)], axis=2)


def concat(agents: Sequence[Profile]) -> Array:
    """The paper's context, [n, n, 64]: 32 scaled numbers of the teacher, then 32 of the student."""
    profiles = np.array([scaled(agent) for agent in agents])
    count, width = profiles.shape
    X = np.empty((count, count, 2 * width))
    X[:, :, :width] = profiles[:, None, :]
    X[:, :, width:] = profiles[None, :, :]
    return X


def gap(agents: Sequence[Profile], history: History, round: int, rounds: int) -> Array:
    """Our context, [n, n, 18], in the order of :data:`GAP_FEATURES`. Beside the result it needs a few megabytes."""
    gaps, count = Gaps(Population.of(agents, history, round, rounds, np.float64)), len(agents)
    X = np.empty((count, count, len(GAP_FEATURES)))
    for tile in tiles(count):
        forward, backward = gaps.both_ways(tile)
        write_gap(forward, X[tile.rows, tile.columns])
        write_gap(backward, X[tile.columns, tile.rows].transpose(1, 0, 2))
    return X


def write_gap(columns: Mapping[str, NDArray[np.floating[Any]]], X: NDArray[np.floating[Any]]) -> None:
    """Into X[..., 18] the features by name, in the order of :data:`GAP_FEATURES` and clipped to [-1, 1]."""
    for position, name in enumerate(GAP_FEATURES):
        X[..., position] = columns[name]
    np.clip(X, -1.0, 1.0, out=X)


def divergence(histograms: Array) -> Array:
    """Jensen-Shannon divergence in bits, in [0, 1], of each pair of rows: [n, c] -> [n, n], symmetric."""
    p, q = histograms[:, None, :], histograms[None, :, :]
    middle = (p + q) / 2.0
    bits: Array = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2.0
    clipped: Array = np.clip(bits, 0.0, 1.0)
    return clipped


def _relative_entropy(p: Array, q: Array) -> Array:
    """Σ p log₂(p/q) over the last axis, with 0 log 0 = 0; q is positive wherever p is."""
    ratio = np.divide(p, q, out=np.ones(np.broadcast_shapes(p.shape, q.shape)), where=np.broadcast_to(p > 0, q.shape))
    total: Array = (p * np.log2(ratio)).sum(axis=-1)
    return total


def scaled(agent: Profile) -> list[float]:
    """The paper's 32 numbers, each brought to [-1, 1]: perplexity by its logarithm, losses by their unit, shares as they are."""
    metrics = [_scaled_metric(name, value) for name, value in zip(METRICS, agent.metrics, strict=True)]
    return [*agent.family, *metrics, *agent.histogram]


def _scaled_metric(name: str, value: float) -> float:
    if name.startswith("perplexity"):
        scaled = math.copysign(math.log1p(abs(value)) / math.log1p(METRIC_BOUND), value)
    else:
        scaled = value / LOSS_UNIT if "loss" in name else value
    return min(max(scaled, -1.0), 1.0)
