"""What a federation of scripted agents was like: figures of calls, rounds, memory and processor time, from what was seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np

from scripted_agents import Call, Seen

#: A slope of memory says nothing about a run that was shorter, in seconds.
SHORTEST_SLOPE_S = 300.0
WORK = ("profile", "outcome")


@dataclass(frozen=True, slots=True)
class Glance:
    """The coordinator's process ``at`` (Unix seconds): MiB that it holds, and seconds that all its threads have computed."""

    at: float
    rss_mib: float
    processor_seconds: float


@dataclass(frozen=True)
class Played:
    """One federation from its first call to its end.

    ``taken``: when the coordinator took the last profile of each round (Unix seconds, by its journal). ``spreads``: seconds over which the
    reports of each round were spread. ``ends``: faults in its record, and how many agents ended in which state.
    """

    seen: Sequence[Seen]
    glances: Sequence[Glance]
    taken: Mapping[int, float]
    spreads: tuple[float, ...]
    ends: Mapping[str, int]

    @cached_property
    def calls(self) -> list[Call]:
        return [call for seen in self.seen for call in seen.calls]

    @property
    def rounds(self) -> int:
        return len(self.spreads)

    def told(self, kind: str, round: int) -> list[float]:
        """When agents heard it, in order."""
        return sorted(told.at for seen in self.seen for told in seen.told if (told.kind, told.round) == (kind, round))

    def told_next(self, round: int) -> list[float]:
        """When agents heard of what follows on ``round``: another one, or the end."""
        return self.told("finished", round) if round == self.rounds else self.told("opened", round + 1)

    def processor(self, begins: float, ends: float) -> float:
        """Seconds that the coordinator computed between two moments."""
        at, used = [one.at for one in self.glances], [one.processor_seconds for one in self.glances]
        return float(np.interp(ends, at, used) - np.interp(begins, at, used))


def spread_of(seconds: Sequence[float]) -> dict[str, Any]:
    """How many, and milliseconds."""
    if not seconds:
        return {"count": 0}
    named = zip(("p50_ms", "p99_ms", "max_ms"), np.percentile(seconds, (50, 99, 100)).tolist(), strict=True)
    return {"count": len(seconds), **{name: round(1e3 * value, 1) for name, value in named}}


def under_load(played: Played, burst: bool) -> dict[str, Any]:
    """What rounds were like whose reports were spread, or came all at once; without the first, if there is another of that kind: it
    has the entrance of all agents in it.
    """
    rounds = [number for number, spread in enumerate(played.spreads, start=1) if (spread == 0.0) == burst]
    rounds = rounds[1:] if rounds[:1] == [1] and len(rounds) > 1 else rounds
    if not rounds:
        return {}
    begins, ends = played.told("opened", rounds[0])[0], played.told_next(rounds[-1])[0]
    reports = [call for call in played.calls if call.round in rounds and call.kind in WORK]
    others = [call for call in played.calls if call.round == 0 and call.kind != "join" and begins <= call.at <= ends - call.seconds]
    used = played.processor(begins, ends)
    return {
        "rounds": len(rounds),
        "seconds": round(ends - begins, 1),
        **{kind: spread_of([call.seconds for call in reports if call.kind == kind]) for kind in WORK},
        "beside": {
            kind: spread_of([call.seconds for call in others if call.kind == kind]) for kind in sorted({one.kind for one in others})
        },
        **turning_points(played, rounds),
        "processor_share": round(used / (ends - begins), 3),
        "processor_ms_per_report": round(1e3 * used / len(reports), 2),
    }


def turning_points(played: Played, rounds: Sequence[int]) -> dict[str, Any]:
    """Seconds of three waits of all agents together, over ``rounds``.

    ``match_s``: from taking the last profile to the last agent that hears of its match. ``told_s``: the part of it that comes after that
    profile's acknowledgement. ``turn_s``: from the last acknowledged outcome to the last agent that hears of the next round.
    """
    waits: dict[str, list[float]] = {"match_s": [], "told_s": [], "turn_s": []}
    for number in rounds:
        matched = played.told("matched", number)[-1]
        waits["match_s"].append(matched - played.taken[number])
        waits["told_s"].append(matched - acknowledged(played, "profile", number))
        waits["turn_s"].append(played.told_next(number)[-1] - acknowledged(played, "outcome", number))
    return {
        name: {"median": round(median(all_), 3), "max": round(max(all_), 3), "last": round(all_[-1], 3)} for name, all_ in waits.items()
    }


def acknowledged(played: Played, kind: str, number: int) -> float:
    """When the last report of ``kind`` in a round was acknowledged."""
    return max(call.at + call.seconds for call in played.calls if (call.kind, call.round) == (kind, number))


def entrance(played: Played) -> dict[str, Any]:
    """All agents join at the same moment, as after a restart of the coordinator."""
    joins = [call for call in played.calls if call.kind == "join"]
    begins, ends = min(call.at for call in joins), max(call.at + call.seconds for call in joins)
    return {**spread_of([call.seconds for call in joins]), "processor_ms_each": round(1e3 * played.processor(begins, ends) / len(joins), 1)}


def memory(played: Played) -> dict[str, Any]:
    """MiB since the first round opened. The slope is that of the second half: what a start leaves behind is no leak."""
    begins, ends = played.told("opened", 1)[0], played.told("finished", played.rounds)[-1]
    during = [one for one in played.glances if begins <= one.at <= ends]
    if not during:
        return {}
    figures = {"start": during[0].rss_mib, "end": during[-1].rss_mib, "max": max(one.rss_mib for one in during)}
    if ends - begins >= SHORTEST_SLOPE_S:
        half = during[len(during) // 2 :]
        figures["slope_per_hour"] = 3600.0 * float(np.polyfit([one.at - begins for one in half], [one.rss_mib for one in half], 1)[0])
    return {name: round(value, 1) for name, value in figures.items()}


def agents_side(played: Played) -> dict[str, Any]:
    """Whether the agents' own processes were in the way: how late they were, and what they computed. ``lines``: what they noted."""
    late = [seconds for seen in played.seen for seconds in seen.late]
    lines = [line for seen in played.seen for line in seen.lines]
    used = sum(seen.processor_seconds for seen in played.seen)
    return {"processor_seconds": round(used, 1), "late_p99_ms": spread_of(late).get("p99_ms"), "lines": len(lines), "some": lines[:3]}
