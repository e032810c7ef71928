"""The coordinator of a configuration, put together in one place: a simulation and a real federation decide alike because they share it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from knexa.config import FederationConfig
from knexa.errors import ConfigurationError
from knexa.events import SCHEMA_VERSION
from knexa.matching.matchmakers import Trial, matchmaker_of
from knexa.protocol.coordinator import Coordinator
from knexa.protocol.patience import patience


def require_peers_only(config: FederationConfig) -> None:
    """Raise ConfigurationError for what no real federation has: a server that sees what agents know, or data of others."""
    for key, holds in (("central.method", config.central.method is not None), ("data.pooled", config.data.pooled)):
        if holds:
            raise ConfigurationError(
                f"{key}: strategy {config.strategy!r} is a baseline for simulations (`knexa run`); agents of a real federation teach each "
                "other, and give nobody else their texts, weights or data: leave the key away"
            )

    if config.faults:
        raise ConfigurationError(
            "faults: are for simulations (`knexa run`), where it can be measured what they do; leave them away in a real federation"
        )


def coordinator_of(config: FederationConfig, trial: Trial | None = None) -> Coordinator:
    """``trial``: see :func:`~knexa.matching.matchmakers.build_matchmaker`; only a simulation has one."""
    return Coordinator(
        [agent.name for agent in config.agents],
        matchmaker_of(config, trial),
        config.rounds,
        patience(config),
        log_candidates=config.matching.log_candidates,
        evaluated_every=config.evaluation.curve_every,
        quorum=config.transport.quorum,
    )


def header_of(config: FederationConfig, start_hash: str) -> dict[str, Any]:
    """Fields of the record's first event. The engine is no part of what is computed, so every one writes the same."""
    return {
        "schema": SCHEMA_VERSION,
        "version": version("knexa"),
        "config": config.model_dump(mode="json", exclude={"engine"}),
        "agents": [agent.name for agent in config.agents],
        "start_hash": start_hash,
    }
