"""Who teaches whom, and what: profiles, contexts, bandit, pairing, reward, curriculum. NumPy and SciPy only.

A round as data: profiles become contexts X[n, n, d] of all ordered pairs (``context``), a bandit scores them (``bandits``),
disjoint pairs are chosen (``pairing``) and get a prompt budget by category (``curriculum``). Outcomes become rewards
(``reward``) that the matchmaker learns from (``matchmakers``) and remembers (``history``).
"""

from knexa.matching.bandits import LinUCB, ThompsonSampling
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import Candidate, Matchmaker, build_matchmaker
from knexa.matching.pairing import disjoint_pairs
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, METRICS, Profile, family_block
from knexa.matching.reward import Reward

__all__ = [
    "CATEGORY_COUNT",
    "FAMILIES",
    "METRICS",
    "METRIC_BOUND",
    "Candidate",
    "LinUCB",
    "Match",
    "Matchmaker",
    "Outcome",
    "Profile",
    "Reward",
    "ThompsonSampling",
    "build_matchmaker",
    "disjoint_pairs",
    "family_block",
]
