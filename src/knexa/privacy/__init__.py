"""Differential privacy: exact noise for what is told in numbers, and what it costs."""

from knexa.privacy.accountant import SubsampledGaussian, to_epsilon
from knexa.privacy.mechanisms import Randomness, discrete_laplace, noisy_counts, noisy_sum

__all__ = ["Randomness", "SubsampledGaussian", "discrete_laplace", "noisy_counts", "noisy_sum", "to_epsilon"]
