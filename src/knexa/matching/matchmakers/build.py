"""From a configuration to its matchmaker."""

from __future__ import annotations

from collections.abc import Mapping

from knexa.config import FederationConfig, MatchingConfig, RewardConfig, organisations
from knexa.errors import ConfigurationError
from knexa.matching.matchmakers.baselines import HeuristicMatchmaker, LocalMatchmaker, OracleMatchmaker, RandomMatchmaker
from knexa.matching.matchmakers.contract import Trial
from knexa.matching.matchmakers.knexa import KnexaMatchmaker
from knexa.matching.matchmakers.pairwise import PairwiseMatchmaker
from knexa.matching.matchmakers.plugged import load_plugin
from knexa.matching.matchmakers.scheduled import FedSkdMatchmaker, GossipMatchmaker
from knexa.matching.terms import Terms, terms_of

MATCHMAKERS = ("knexa", "random", "heuristic", "local", "fedskd", "gossip", "oracle")


def build_matchmaker(
    config: MatchingConfig,
    reward: RewardConfig,
    rounds: int,
    seed: int,
    trial: Trial | None = None,
    *,
    organisations: Mapping[str, str] | None = None,
    terms: Mapping[str, Terms] | None = None,
) -> PairwiseMatchmaker:
    """The matchmaker that ``config.matchmaker`` names. ``trial`` is needed by the oracle alone, and only a simulation has one.

    ``organisations``: of each agent, by names; without them every agent is one of its own. ``terms``: what each agent allows, by
    names; without them everybody exchanges texts with everybody.

    Raises ConfigurationError for an unknown name, a ``module:object`` that cannot be used, or an oracle without a trial.
    """
    match config.matchmaker:
        case "knexa":
            return KnexaMatchmaker(config, reward, rounds, seed, organisations=organisations, terms=terms)
        case "random":
            return RandomMatchmaker(config, reward, rounds, seed, terms=terms)
        case "heuristic":
            return HeuristicMatchmaker(config, reward, rounds, terms=terms)
        case "local":
            return LocalMatchmaker(config, reward, rounds, terms=terms)
        case "fedskd":
            return FedSkdMatchmaker(config, reward, rounds, terms=terms)
        case "gossip":
            return GossipMatchmaker(config, reward, rounds, terms=terms)
        case "oracle":
            if trial is None:
                raise ConfigurationError("matching.matchmaker = 'oracle' has to try every pair first; only a simulation can (`knexa run`)")
            return OracleMatchmaker(config, reward, rounds, trial, terms=terms)
        case name if ":" in name:
            return load_plugin(config, reward, rounds, seed, terms=terms)
        case name:
            raise ConfigurationError(f"matching.matchmaker = {name!r} is unknown; choose {', '.join(MATCHMAKERS)} or module:object")


def matchmaker_of(config: FederationConfig, trial: Trial | None = None) -> PairwiseMatchmaker:
    """The matchmaker of a whole configuration, with its agents' organisations and terms."""
    return build_matchmaker(
        config.matching, config.reward, config.rounds, config.seed, trial, organisations=organisations(config), terms=terms_of(config)
    )
