"""What a budget buys and what was spent: pure epsilons add up; noisy gradients are counted by Renyi differential privacy.

The Gaussian mechanism on a Poisson sample (each text takes part in a step with probability q, whoever else does) has, of whole order a > 1,
the Renyi divergence of Mironov, Talwar and Zhang (2019, "Renyi Differential Privacy of the Sampled Gaussian Mechanism", Eq. 30 for whole
orders). Steps add up, and (a, r)-RDP is (epsilon, delta)-DP by Canonne, Kamath and Steinke (2020, Prop. 12).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Whole orders that are tried; the best one counts.
ORDERS = (*range(2, 65), 80, 96, 128, 192, 256, 512)


@dataclass(frozen=True, slots=True)
class SubsampledGaussian:
    """``steps`` steps in which each text takes part with probability ``rate``, and noise of ``noise`` times the clipping norm is added.

    Neighbours: data sets of which one has one text more.
    """

    rate: float
    noise: float
    steps: int

    def epsilon(self, delta: float) -> float:
        """The least epsilon over all orders; infinite without noise. ValueError unless delta is between 0 and 1."""
        return to_epsilon({order: self.steps * self._divergence(order) for order in ORDERS}, delta) if self.steps else 0.0

    def _divergence(self, order: int) -> float:
        if self.noise == 0.0:
            return math.inf
        if self.rate == 1.0:
            return order / (2 * self.noise**2)
        if self.rate == 0.0:
            return 0.0
        terms = [
            math.log(math.comb(order, k))
            + k * math.log(self.rate)
            + (order - k) * math.log1p(-self.rate)
            + (k * k - k) / (2 * self.noise**2)
            for k in range(order + 1)
        ]
        largest = max(terms)
        return max(0.0, (largest + math.log(math.fsum(math.exp(term - largest) for term in terms))) / (order - 1))


def to_epsilon(divergences: dict[int, float], delta: float) -> float:
    """The epsilon at ``delta`` of Renyi divergences by order."""
    if not 0.0 < delta < 1.0:
        raise ValueError(f"a delta of {delta}: it lies between 0 and 1")
    return max(
        0.0,
        min(
            divergence + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)
            for order, divergence in divergences.items()
        ),
    )
