"""A worker process of the ``processes`` engine.

It reads jobs from an inherited socket and answers each, until the run ends.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from knexa.config import FederationConfig
from knexa.participant.contract import load_workplace
from knexa.simulation.child import parent_connection
from knexa.simulation.failures import Failure
from knexa.simulation.serial import timed


@dataclass(frozen=True, slots=True)
class Orders:
    """The first message to a worker. ``path``: the module search path of the run, so that the workplace's module is found."""

    config: FederationConfig
    workplace: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a job. ``value``: what the workplace returned, or a Failure."""

    value: Any
    seconds: float
    peak_rss_mb: float


def serve(connection: Connection) -> None:
    """Take orders, then do jobs until the other side hangs up."""
    orders: Orders = connection.recv()
    sys.path[:] = orders.path
    try:
        workplace = load_workplace(orders.workplace, orders.config)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: the run raises it again
        connection.send(Answer(Failure.of(error), 0.0, peak_rss_mb()))
        return
    connection.send(Answer(None, 0.0, peak_rss_mb()))
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        value, seconds = timed(job, workplace)
        connection.send(Answer(value, seconds, peak_rss_mb()))


def peak_rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(descriptor: int) -> None:
    """Be the worker behind the socket ``descriptor``."""
    serve(parent_connection(descriptor))
