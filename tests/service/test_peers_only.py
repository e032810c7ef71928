"""What no real federation does, whoever asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from knexa.config import load_config
from knexa.errors import ConfigurationError
from knexa.protocol.assembly import require_peers_only
from knexa.service.agent.process import AgentPlan, join
from knexa.service.cpm.process import CpmPlan, serve
from knexa.service.local import LocalFederation
from knexa.strategies import STRATEGIES

REFUSED = ("fedavg", "central-kd", "fedid", "all-data")


@pytest.mark.parametrize("name", REFUSED)
def test_coordinator_agent_and_local_federation_refuse_a_baseline_with_a_server(name: str, tmp_path: Path) -> None:
    """One sentence that names the key, before anything is written."""
    config = load_config(strategy=name)
    for begin in (
        lambda: serve(CpmPlan(config, tmp_path / "cpm", tmp_path, "127.0.0.1:0"), print),
        lambda: join(AgentPlan(config, tmp_path / "agent", tmp_path, "127.0.0.1:1", "operator"), print),
        lambda: LocalFederation(config, tmp_path / "up"),
    ):
        with pytest.raises(ConfigurationError, match=rf"^(central\.method|data\.pooled): strategy '{name}' .*simulations.*teach each"):
            begin()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in REFUSED])
def test_other_strategies_are_not_refused(name: str) -> None:
    """Matchmakers of all kinds may coordinate (the oracle is refused elsewhere: it has to try)."""
    require_peers_only(load_config(strategy=name))
