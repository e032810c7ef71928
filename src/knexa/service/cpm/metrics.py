"""What an operator's monitoring reads over HTTP: ``/metrics`` for Prometheus, ``/healthz`` for whoever restarts what is ill.

Counts and states of the process only; no label ever carries a number that an agent reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import Collector

from knexa.errors import ConfigurationError
from knexa.protocol.coordinator import Phase
from knexa.service.cpm.conductor import Conductor


class ConductorCollector(Collector):
    """Reads the conductor when it is asked, so nothing has to be counted twice."""

    def __init__(self, conductor: Conductor, refused: Callable[[], Mapping[str, int]]) -> None:
        """``refused``: calls that were turned away, by reason."""
        self._conductor, self._refused = conductor, refused

    def collect(self) -> Iterable[Metric]:
        conductor = self._conductor
        yield GaugeMetricFamily("knexa_round", "newest round that was opened", value=conductor.coordinator.round)
        yield GaugeMetricFamily("knexa_agents", "agents of the federation", value=len(conductor.seats))
        yield GaugeMetricFamily("knexa_agents_missing", "agents that have not joined yet", value=len(conductor.missing))
        yield CounterMetricFamily("knexa_inputs", "inputs in the journal", value=conductor.inputs)
        phase = GaugeMetricFamily("knexa_phase", "1 for the phase that the round is in", labels=["phase"])
        for one in Phase:
            phase.add_metric([one.value], float(conductor.coordinator.phase is one))
        yield phase
        refused = CounterMetricFamily("knexa_refused", "calls that were turned away", labels=["reason"])
        for reason, count in self._refused().items():
            refused.add_metric([reason], count)
        yield refused


def serve_metrics(address: tuple[str, int], conductor: Conductor, refused: Callable[[], Mapping[str, int]]) -> int:
    """Answer at ``address`` in a thread of its own for as long as the process lives; the port. ConfigurationError if it is taken."""
    registry = CollectorRegistry()
    registry.register(ConductorCollector(conductor, refused))
    metrics = make_wsgi_app(registry)

    def application(environment: dict[str, Any], start: Any) -> Any:
        if environment.get("PATH_INFO") != "/healthz":
            return metrics(environment, start)
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(health(conductor)).encode()]

    try:
        server = make_server(*address, application, server_class=_Threaded, handler_class=_Quiet)
    except OSError as error:
        raise ConfigurationError(
            f"{address[0]}:{address[1]}: cannot be listened at ({error.strerror}); choose another --metrics"
        ) from error
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_port)


def health(conductor: Conductor) -> dict[str, Any]:
    """For a person with curl: where the federation is, and whom it waits for."""
    return {"phase": conductor.coordinator.phase.value, "round": conductor.coordinator.round, "missing": conductor.missing}


class _Threaded(ThreadingMixIn, WSGIServer):
    """A thread for each call, so that who reads slowly keeps nobody waiting."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *arguments: object) -> None:
        """A scrape every few seconds is no news."""
