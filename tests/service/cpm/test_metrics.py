"""Monitoring: where the federation is, over plain HTTP, and nothing of what agents report."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from local_federation import NAMES, Recorded, join_request

from knexa.errors import ConfigurationError
from knexa.service.cpm.journal import Journal
from knexa.service.cpm.metrics import serve_metrics


def read(port: int, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_who_reads_slowly_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A connection on which nothing is asked does not take the answer of the next one away."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        port = serve_metrics(("127.0.0.1", 0), Recorded(journal).conductor, dict)
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"GET /heal")
            assert json.loads(read(port, "/healthz"))["phase"] == "new"


def test_monitoring_sees_where_the_federation_is(tmp_path: Path) -> None:
    """Phase, round, who is missing, what was refused; the numbers are those of now, whenever it is asked."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = Recorded(journal)
        port = serve_metrics(("127.0.0.1", 0), one.conductor, lambda: {"identity": 3, "message": 0})
        one.conductor.join("a", join_request("a"), "k" * 64, 1.0)
        assert json.loads(read(port, "/healthz")) == {"phase": "new", "round": 0, "missing": ["b", "c", "d"]}
        for name in NAMES[1:]:
            one.conductor.join(name, join_request(name), name * 64, 1.0)
        one.conductor.start(2.0)
        shown = read(port, "/metrics").splitlines()
    for line in (
        "knexa_round 1.0",
        "knexa_agents_missing 0.0",
        'knexa_phase{phase="profiles"} 1.0',
        'knexa_refused_total{reason="identity"} 3.0',
    ):
        assert line in shown
    assert "knexa_inputs_total 5.0" in shown


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """Before the federation begins."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Journal(f"sqlite:///{tmp_path / 'journal'}") as journal,
        pytest.raises(ConfigurationError, match="choose another --metrics"),
    ):
        serve_metrics(("127.0.0.1", taken.getsockname()[1]), Recorded(journal).conductor, dict)
