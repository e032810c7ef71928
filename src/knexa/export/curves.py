"""The curves of a run: named series over rounds, out of its record."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from knexa.matching.profile import METRICS
from knexa.record import Evaluation, RunRecord

#: Of a profile's metrics: what was measured. Changes can be seen in the curve.
_MEASURED = METRICS[: len(METRICS) // 2]
#: What is shown of every exchange that was measured.
_EXCHANGED = ("reward", "loss_before", "loss_after", "bytes", "texts", "kept")


@dataclass(frozen=True, slots=True)
class Point:
    """``curve``: such as ``test/pass_at_1/agent-2``, of letters, digits and ``_-./``, which is all that every tool takes."""

    curve: str
    round: int
    value: float


def curves(run: RunRecord) -> list[Point]:
    """All points of ``run``, by curve and round.

    ``test/SCORE/AGENT`` has the start and the end, ``validation/…`` the rounds between, both with ``_mean`` over agents too;
    ``private/…`` is what profiles said of an agent's own data; ``exchange/…/_mean`` is over the exchanges of a round,
    ``exchange/reward/AGENT`` the student's own. Shares in [0, 1], losses in nats a token, rewards before clipping.
    """
    points = [*_evaluated(run.evaluations, run.agents), *_reported(run), *_exchanged(run)]
    return sorted(points, key=lambda point: (point.curve, point.round))


def settings(run: RunRecord) -> dict[str, str]:
    """The resolved configuration: dotted keys, values as text."""
    return dict(_flat("", run.config))


def names(folders: Sequence[Path], runs: Sequence[RunRecord]) -> list[str]:
    """A name for each run: how its folder lies below the one that all have in common; strategy and seed for a single one."""
    if len(folders) == 1:
        return [f"{runs[0].strategy}-seed{runs[0].seed}"]
    paths = [path.resolve() for path in folders]
    above = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(above).as_posix() for path in paths]


def _evaluated(evaluations: Iterable[Evaluation], agents: Sequence[str]) -> Iterator[Point]:
    together: dict[tuple[str, int], list[float]] = {}
    for one in evaluations:
        for name, value in {**one.scores, "loss": one.loss}.items():
            if value is not None:
                curve = f"{one.split}/{_plain(name)}"
                together.setdefault((curve, one.round), []).append(value)
                yield Point(f"{curve}/{one.agent}", one.round, value)
    for (curve, round), values in together.items():
        if len(values) == len(agents):  # no agent drops out of a mean unseen
            yield Point(f"{curve}/_mean", round, fmean(values))


def _reported(run: RunRecord) -> Iterator[Point]:
    for profile in run.profiles:
        for name, value in zip(_MEASURED, profile["metrics"], strict=False):
            yield Point(f"private/{_plain(name)}/{profile['agent']}", profile["round"], value)


def _exchanged(run: RunRecord) -> Iterator[Point]:
    for round in sorted({one.round for one in run.exchanges}):
        measured = [one for one in run.exchanges if one.round == round and one.accepted is not None]
        for name in _EXCHANGED:
            values = [value for one in measured if (value := getattr(one, name)) is not None]
            if values:
                yield Point(f"exchange/{name}/_mean", round, fmean(values))
        if measured:
            yield Point("exchange/accepted/_mean", round, fmean(bool(one.accepted) for one in measured))
        for one in measured:
            if one.reward is not None:
                yield Point(f"exchange/reward/{one.student}", round, one.reward)


def _plain(name: str) -> str:
    return name.replace("@", "_at_")


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        inside: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        inside = enumerate(value)
    else:
        yield prefix, "none" if value is None else str(value)
        return
    for key, one in inside:
        yield from _flat(f"{prefix}.{key}" if prefix else str(key), one)
