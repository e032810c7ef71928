"""What the bandit sees of a pair: one feature vector per ordered pair (teacher, student), built for all pairs at once.

``concat`` is the paper's x = [p_s, p_r]. A linear model of it is additive, θᵀx = θ₁ᵀp_s + θ₂ᵀp_r: for given teachers and
given students every way to pair them totals the same, so it can learn who teaches well and who learns well, never who is
good *for whom*.

``gap`` (ours, the default) describes the pair instead: where the teacher is ahead of the student and by how much, how
their data overlap, whether they met lately, whose turn it is. It has 18 numbers, and a prior, so that the 60 rewards of a usual
run are enough to correct it.

All features lie in [-1, 1], so that one ridge λ and one exploration β fit them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from knexa.matching.curriculum import teaching_value
from knexa.matching.history import History
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, METRICS, Profile

Array = NDArray[np.float64]
Kind = Literal["concat", "gap"]

#: From the agents of a round (sorted by name), the history, the round (from 1) and the number of rounds to X[n, n, d].
Describe = Callable[[Sequence[Profile], History, int, int], Array]

#: A cross-entropy of this many nats a token, or more, scales to 1: about that of a model that knows nothing.
_LOSS_UNIT = 5.0

#: Sums over categories of this size, or more, scale to 1: specialists differ in a few categories, not in all 12.
_SUM_UNIT = 3.0

#: Stands for a sum of zero in a denominator.
_TINY = 1e-12

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


def features(kind: Kind) -> tuple[str, ...]:
    """Names of the d numbers of a context."""
    return GAP_FEATURES if kind == "gap" else CONCAT_FEATURES


def prior(kind: Kind, curriculum: bool, probe: bool) -> tuple[float, ...]:
    """θ₀ of the bandit: :data:`GAP_PRIOR`, adapted to which extensions are on; zero for the paper's ``concat``."""
    if kind == "concat":
        return (0.0,) * len(CONCAT_FEATURES)
    believed = GAP_PRIOR | ({} if curriculum else _UNGUIDED) | ({} if probe else _UNPROBED)
    return tuple(believed.values())


def contexts(kind: Kind, agents: Sequence[Profile], history: History, round: int, rounds: int) -> Array:
    """X[n, n, d] with ``X[t, s]`` the context of t teaching s; the diagonal means nothing. ``round`` counts from 1."""
    return gap(agents, history, round, rounds) if kind == "gap" else concat(agents)


def concat(agents: Sequence[Profile]) -> Array:
    """The paper's context, [n, n, 64]: 32 scaled numbers of the teacher, then 32 of the student."""
    profiles = np.array([scaled(agent) for agent in agents])
    count, width = profiles.shape
    teacher = np.broadcast_to(profiles[:, None, :], (count, count, width))
    student = np.broadcast_to(profiles[None, :, :], (count, count, width))
    return np.concatenate([teacher, student], axis=2)


def gap(agents: Sequence[Profile], history: History, round: int, rounds: int) -> Array:
    """Our context, [n, n, 18], in the order of :data:`GAP_FEATURES`."""
    names, shape = [agent.agent for agent in agents], (len(agents), len(agents))
    strength, mean_loss = _strength(agents), float(np.mean([agent.metric("loss") for agent in agents]))
    competence = _competence(agents)
    columns = {
        "bias": np.ones(shape),
        **competence,
        "trusted_yield": competence["yield"] * history.trust(names)[:, None],
        **_likeness(agents),
        "recency": history.recency(names, round),
        "teacher_strength": strength[:, None],
        "student_strength": strength[None, :],
        "teacher_success": 2.0 * history.teaching_success(names)[:, None] - 1.0,
        "student_turn": 2.0 * history.teaching_share(names)[None, :] - 1.0,
        "student_success": 2.0 * history.learning_success(names)[None, :] - 1.0,
        "teacher_trust": 2.0 * history.trust(names)[:, None] - 1.0,
        "round": np.full(shape, min(round / rounds, 1.0)),
        "mean_loss": np.full(shape, mean_loss / _LOSS_UNIT),
    }
    stacked: Array = np.stack([np.broadcast_to(columns[name], shape) for name in GAP_FEATURES], axis=2)
    return np.clip(stacked, -1.0, 1.0)


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


def _competence(agents: Sequence[Profile]) -> dict[str, Array]:
    """Where the teacher is ahead, where behind, and what that is worth; equal for all pairs where nobody has a probe."""
    probe, coverage = np.array([a.probe for a in agents]), np.array([a.coverage for a in agents])
    ahead = probe[:, None, :] - probe[None, :, :]
    lead = np.maximum(ahead, 0.0)
    value = teaching_value(probe[:, None, :], probe[None, :, :], coverage[None, :, :])
    return {
        "value": value.sum(axis=2) / _SUM_UNIT,
        "lead": lead.sum(axis=2) / _SUM_UNIT,
        "yield": (value**2).sum(axis=2) / np.maximum(value.sum(axis=2), _TINY),
        "behind": np.maximum(-ahead, 0.0).sum(axis=2) / _SUM_UNIT,
    }


def _likeness(agents: Sequence[Profile]) -> dict[str, Array]:
    histograms, families = np.array([a.histogram for a in agents]), np.array([a.family for a in agents])
    return {
        "overlap": np.minimum(histograms[:, None, :], histograms[None, :, :]).sum(axis=2),
        "divergence": divergence(histograms),
        "same_family": families @ families.T,
    }


def _strength(agents: Sequence[Profile]) -> Array:
    """How able each agent is [n]: on the public probe, which compares agents; without one, on its own validation data."""
    probe = np.array([agent.probe for agent in agents])
    return probe.mean(axis=1) if probe.any() else np.array([agent.metric("pass@1") for agent in agents])


def scaled(agent: Profile) -> list[float]:
    """The paper's 32 numbers, each brought to [-1, 1]: perplexity by its logarithm, losses by their unit, shares as they are."""
    metrics = [_scaled_metric(name, value) for name, value in zip(METRICS, agent.metrics, strict=True)]
    return [*agent.family, *metrics, *agent.histogram]


def _scaled_metric(name: str, value: float) -> float:
    if name.startswith("perplexity"):
        scaled = math.copysign(math.log1p(abs(value)) / math.log1p(METRIC_BOUND), value)
    else:
        scaled = value / _LOSS_UNIT if "loss" in name else value
    return min(max(scaled, -1.0), 1.0)
