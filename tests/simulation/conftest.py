"""Configurations, and the search path on which workers find the arithmetic workplace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knexa.config import FederationConfig

sys.path.insert(0, str(Path(__file__).parent))


def federation_config(rounds: int = 3, agents: int = 4, kind: str = "serial", **sections: Any) -> FederationConfig:
    return FederationConfig.model_validate(
        {
            "agents": [{"name": f"agent-{number}", "backbone": "embedded:gpt2"} for number in range(1, agents + 1)],
            "rounds": rounds,
            "engine": {"kind": kind, "workers": 2},
            **sections,
        }
    )


@pytest.fixture(scope="session")
def config() -> Callable[..., FederationConfig]:
    """``config(rounds, agents, kind, **sections)``: a small federation."""
    return federation_config
