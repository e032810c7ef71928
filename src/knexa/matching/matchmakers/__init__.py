"""Matchmakers: KNEXA's own, the baselines, and those that users plug in."""

from knexa.matching.matchmakers.baselines import HeuristicMatchmaker, LocalMatchmaker, OracleMatchmaker, RandomMatchmaker
from knexa.matching.matchmakers.build import MATCHMAKERS, build_matchmaker, matchmaker_of
from knexa.matching.matchmakers.contract import Candidate, Matchmaker, Trial
from knexa.matching.matchmakers.knexa import KnexaMatchmaker
from knexa.matching.matchmakers.scheduled import FedSkdMatchmaker, GossipMatchmaker

__all__ = [
    "MATCHMAKERS",
    "Candidate",
    "FedSkdMatchmaker",
    "GossipMatchmaker",
    "HeuristicMatchmaker",
    "KnexaMatchmaker",
    "LocalMatchmaker",
    "Matchmaker",
    "OracleMatchmaker",
    "RandomMatchmaker",
    "Trial",
    "build_matchmaker",
    "matchmaker_of",
]
