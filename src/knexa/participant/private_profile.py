"""What a profile tells of private data where it is differentially private (``privacy.epsilon``).

Of an agent's data a profile has the histogram of what it trains on, released once, and four means over what it held out, released every
``privacy.metrics_every`` rounds and repeated in between; epsilon is divided among them all, and a run spends no more. Perplexity follows
from the loss, and changes from two releases, for nothing. The loss of training is not told.

Neighbours are data sets of which one text is another. Each of the four means is a sum of whole numbers, one a text, cut to a stated range:
right or wrong, compiles or not, CodeBLEU in sixteenths, loss in quarters of a nat up to four. That the model, too, was trained on private
data is not covered here but by DP-SGD: without it the probe's block, the coverage and these means say what such a model can do.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from knexa.config import FederationConfig, PrivacyConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.problems import Problem
from knexa.learning.generation import Completion
from knexa.participant.data import PrivateData
from knexa.participant.measure import compiles, likeness, perplexity
from knexa.privacy import Randomness, SubsampledGaussian, noisy_counts, noisy_sum

#: Steps of CodeBLEU in 1, and of a loss in a nat; the largest loss that counts, in nats.
_LIKENESS_STEPS, _LOSS_STEPS, _LARGEST_LOSS = 16, 4, 4
#: Numbers released together: pass@1, CodeBLEU, share that compiles, loss.
_MEANS = 4


def released_now(privacy: PrivacyConfig, round: int) -> bool:
    """Whether metrics are released anew in ``round``."""
    return (round - 1) % privacy.metrics_every == 0


def budgets(config: FederationConfig) -> tuple[Fraction, Fraction]:
    """Epsilon of the histogram, and of each mean in each release. Together they make ``privacy.epsilon``."""
    privacy = config.privacy
    if privacy.epsilon is None:
        raise ValueError("profiles have no budget: privacy.epsilon is none")
    whole = Fraction(privacy.epsilon).limit_denominator(10**6)
    first = whole * Fraction(privacy.histogram).limit_denominator(10**6)
    return first, (whole - first) / (math.ceil(config.rounds / privacy.metrics_every) * _MEANS)


def spent(config: FederationConfig, round: int) -> float:
    """Epsilon of all that profiles have told up to ``round``."""
    first, each = budgets(config)
    return float(first + each * _MEANS * math.ceil(round / config.privacy.metrics_every)) if round else 0.0


def training_epsilon(config: FederationConfig, texts: int, rounds: int) -> float:
    """Epsilon at ``privacy.delta`` of an adapter after the local updates of ``rounds`` rounds on so many texts."""
    local, privacy = config.local, config.privacy
    steps = local.first_steps + local.steps * (rounds - 1) if rounds else 0
    return SubsampledGaussian(sampling_rate(config, texts), privacy.sgd_noise, steps).epsilon(privacy.delta)


def require_budget(config: FederationConfig, agent: str, private: PrivateData) -> None:
    """Raises ConfigurationError if the local updates of a whole run would spend more than ``privacy.sgd_epsilon``, or promise nothing."""
    bound, delta = config.privacy.sgd_epsilon, config.privacy.delta
    if config.privacy.sgd_noise and delta * len(private.train) >= 1:
        raise ConfigurationError(
            f'agent "{agent}": privacy.delta = {delta:g} lets a whole text out, since it has {len(private.train)} of them; '
            f"set privacy.delta below {1 / len(private.train):.2g}"
        )
    if bound is None or not private.train:
        return
    needed = training_epsilon(config, len(private.train), config.rounds)
    if needed > bound:
        raise ConfigurationError(
            f'agent "{agent}": privacy.sgd_epsilon = {bound:g}, and its local updates on {len(private.train)} texts spend {needed:.3g} '
            f"(delta {config.privacy.delta:g}); raise privacy.sgd_noise, or take fewer steps"
        )


def sampling_rate(config: FederationConfig, texts: int) -> float:
    """Probability that a text takes part in a step: the batch that a plain step has, on average."""
    return min(1.0, config.local.batch_size * config.local.accumulate / texts)


def randomness_of(config: FederationConfig, seed: int) -> Randomness:
    """Seeded, so that a simulation comes out alike; the system's own for a real agent, since whoever knows a seed can take noise away."""
    return random.SystemRandom() if config.privacy.noise == "system" else random.Random(seed)


def private_histogram(problems: Sequence[Problem], categories: Sequence[str], epsilon: Fraction, randomness: Randomness) -> list[float]:
    """Shares of ``problems`` by category, with noise; what is released once."""
    counts = [sum(problem.category == name for problem in problems) for name in categories]
    return noisy_counts(counts, epsilon, randomness)


def private_metrics(
    problems: Sequence[Problem],
    passed: np.ndarray,
    answers: Sequence[Completion],
    losses: Sequence[float],
    epsilon: Fraction,
    randomness: Randomness,
) -> dict[str, float]:
    """The six measured metrics on held-out ``problems``, each mean released with ``epsilon``. ``passed`` bool [len(problems)]."""
    texts = [answer.text for answer in answers]
    alike = [likeness([problem], [text]) or 0.0 for problem, text in zip(problems, texts, strict=True)]
    columns = {
        "pass@1": ([int(one) for one in passed], 1),
        "codebleu": ([round(_LIKENESS_STEPS * one) for one in alike], _LIKENESS_STEPS),
        "syntax_ok": ([int(compiles(problem, text)) for problem, text in zip(problems, texts, strict=True)], 1),
        "loss": ([round(_LOSS_STEPS * min(one, _LARGEST_LOSS)) for one in losses], _LOSS_STEPS * _LARGEST_LOSS),
    }
    means = {}
    for name, (values, largest) in columns.items():
        share = noisy_sum(values, largest, epsilon, randomness) / (largest * len(problems))
        means[name] = min(max(share, 0.0), 1.0) * (_LARGEST_LOSS if name == "loss" else 1)
    return {**means, "perplexity": perplexity(means["loss"]), "train_loss": 0.0}
