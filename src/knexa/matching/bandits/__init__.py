"""Contextual bandits: how good is each pair, and how much is there to learn about it? All behind ``LinearBandit``'s interface.

``scores(X, round)`` ranks, ``update(x, reward)`` learns, ``forget()`` marks the passing of a round; ``state``, ``restore`` and
``digest`` make the decision of a run repeatable.
"""

from knexa.matching.bandits.kernel import KernelUCB
from knexa.matching.bandits.linear import LinearBandit, Schedule
from knexa.matching.bandits.linucb import LinUCB
from knexa.matching.bandits.thompson import ThompsonSampling

__all__ = ["KernelUCB", "LinUCB", "LinearBandit", "Schedule", "ThompsonSampling"]
