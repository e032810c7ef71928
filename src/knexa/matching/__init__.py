"""Who teaches whom, and what: profiles, context, bandit, pairing, reward, curriculum. NumPy and SciPy only."""

from knexa.matching.match import Match, Outcome
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, METRICS, Profile, family_block

__all__ = ["CATEGORY_COUNT", "FAMILIES", "METRICS", "METRIC_BOUND", "Match", "Outcome", "Profile", "family_block"]
