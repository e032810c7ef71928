"""A run read back from its folder: typed values out of ``events.jsonl`` and ``timings.jsonl``.

Summary, report and comparison all read runs through this module, so the format of the log is known in one place only.
A run that was killed or is still going reads as far as it got.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knexa.config import HOSTILE
from knexa.errors import RunFolderError
from knexa.events import TIMINGS_FILE, Event, read_events

#: Names of the scores, in the order in which tables show them, with their headings there. Tables leave out what no run has.
SCORES = {"pass@1": "Pass@1", "pass@5": "Pass@5", "pass@10": "Pass@10", "codebleu": "CodeBLEU", "exact_match": "Exact"}
#: What a run is expected to have that has no scores yet.
_EXPECTED = ("pass@1", "pass@5", "pass@10", "codebleu")


def scores_present(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Names out of :data:`SCORES` under which some of ``rows`` has a number, in order; the first is what charts show."""
    listed = list(rows)
    return tuple(name for name in SCORES if any(row.get(name) is not None for row in listed)) or _EXPECTED


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one agent after ``round`` rounds; ``stage`` is start, round or end. Shares in [0, 1], loss in nats a token.

    ``problems``: evaluated problems, ``samples`` programs each. ``memory``: verified texts the agent then held. ``cut``:
    texts of the evaluation and of its own that were longer than the model reads. ``correct``: right answers to each problem.
    ``payload``: share of answers that carry a backdoor's payload, where somebody plants one.
    """

    agent: str
    round: int
    stage: str
    split: str
    problems: int
    samples: int
    scores: Mapping[str, float | None]
    loss: float | None
    by_category: Mapping[str, float]
    memory: int
    cut: int = 0
    correct: tuple[int, ...] = ()
    payload: float | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One match and what came of it. Values are None where the exchange failed before it was measured, or is still going on.

    ``reward``: Eq. 3 before clipping. ``bytes``: size of the package. ``kept`` of ``texts`` passed verification. ``path``: how it
    travelled in a real federation: direct, reverse or relay. ``refused``: texts that the student's filter turned down. In a simulation
    ``withheld`` texts were kept back by the teacher's guardrail, and ``sier`` is the share of sensitive tokens in what left.
    """

    match_id: str
    round: int
    teacher: str
    student: str
    protocol: str
    reward: float | None = None
    loss_before: float | None = None
    loss_after: float | None = None
    bytes: int = 0
    texts: int = 0
    kept: int = 0
    accepted: bool | None = None
    path: str | None = None
    refused: int = 0
    withheld: int = 0
    sier: float | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``rounds``: rounds asked for, ``closed``: that are over. ``finished``: false while the run goes on, or after it was killed.

    ``profiles``: as they were reported. ``central``: what a server did in each round, where a baseline has one. ``seconds`` and
    ``peak_rss_mb`` are None until the run ends. ``jobs``: rows of kind "job" of the timings.
    """

    folder: Path
    version: str
    config: Mapping[str, Any]
    agents: tuple[str, ...]
    start_hash: str
    evaluations: tuple[Evaluation, ...]
    exchanges: tuple[Exchange, ...]
    profiles: tuple[Event, ...]
    central: tuple[Event, ...]
    faults: tuple[Event, ...]
    participants: Mapping[str, Any]
    closed: int
    finished: bool
    seconds: float | None
    peak_rss_mb: float | None
    jobs: tuple[Event, ...] = field(repr=False)

    @property
    def strategy(self) -> str:
        return str(self.config["strategy"])

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def rounds(self) -> int:
        return int(self.config["rounds"])

    @property
    def honest(self) -> tuple[str, ...]:
        """Agents that no fault makes hostile: whose scores count where somebody attacks."""
        hostile = {name for fault in self.config.get("faults", ()) if fault["kind"] in HOSTILE for name in fault["agents"]}
        return tuple(agent for agent in self.agents if agent not in hostile)

    @property
    def absent(self) -> dict[str, str]:
        """Participants that did not come to the end of a real federation, and their state: lost, or never joined."""
        states = {name: one.get("state", "finished") for name, one in self.participants.items()}
        return {name: state for name, state in states.items() if state != "finished"}

    @property
    def score(self) -> str:
        """The score that charts show: Pass@1, or what stands in its place where there is nothing to run."""
        return scores_present(one.scores for one in self.evaluations)[0]

    @property
    def paths(self) -> str:
        """How often exchanges travelled on which path, in words; "" in a simulation."""
        counts = Counter(one.path for one in self.exchanges if one.path is not None)
        return ", ".join(f"{count} {path}" for path, count in sorted(counts.items()))

    @property
    def sent(self) -> int:
        """Bytes that went from agent to agent, or to a baseline's server and back."""
        served: int = sum(one["bytes_up"] + one["bytes_down"] for one in self.central)
        return sum(one.bytes for one in self.exchanges) + served

    def pending(self, exchange: Exchange) -> bool:
        """Whether it is not yet known what comes of ``exchange``: rewards come at the close of its round."""
        return exchange.round > self.closed

    def at(self, agent: str, stage: str) -> Evaluation | None:
        """The evaluation of ``agent`` at ``stage`` "start" or "end"."""
        return next((one for one in self.evaluations if one.agent == agent and one.stage == stage), None)


def read_run(folder: Path) -> RunRecord:
    """Raises RunFolderError if ``folder`` holds no run, or a record that is damaged or of another version."""
    events = list(read_events(folder))
    if not events or events[0].get("kind") != "header":
        raise RunFolderError(f"{folder}: events.jsonl has no header yet; wait until the run has started, or start it again")
    try:
        return _read(folder, events)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(
            f"{folder}: events.jsonl lacks {error}; it was written by another version of knexa or changed by hand"
        ) from error


def _read(folder: Path, events: list[dict[str, Any]]) -> RunRecord:
    header = events[0]
    timings = list(read_events(folder, TIMINGS_FILE)) if (folder / TIMINGS_FILE).is_file() else []
    totals = [row for row in timings if row.get("kind") == "total"]
    end = _of_kind(events, "end")
    return RunRecord(
        folder=folder,
        version=header["version"],
        config=header["config"],
        agents=tuple(header["agents"]),
        start_hash=header["start_hash"],
        evaluations=tuple(map(_evaluation, _of_kind(events, "evaluation"))),
        exchanges=_exchanges(events),
        profiles=tuple(_of_kind(events, "profile")),
        central=tuple(_of_kind(events, "central")),
        faults=tuple(_of_kind(events, "fault")),
        participants=end[-1].get("participants", {}) if end else {},
        closed=len(_of_kind(events, "update")),
        finished=bool(end),
        seconds=sum(row["seconds"] for row in totals) if totals else None,
        peak_rss_mb=max(row["peak_rss_mb"] for row in totals) if totals else None,
        jobs=tuple(row for row in timings if row.get("kind") == "job"),
    )


def _of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def _evaluation(event: Event) -> Evaluation:
    return Evaluation(
        agent=event["agent"],
        round=event["round"],
        stage=event["stage"],
        split=event["split"],
        problems=event["problems"],
        samples=event["samples"],
        scores=event["scores"],
        loss=event["loss"],
        by_category=event["by_category"],
        memory=event["texts_kept"],
        cut=event["cut"],
        correct=tuple(event["correct"]),
        payload=event.get("payload"),
    )


def _exchanges(events: list[dict[str, Any]]) -> tuple[Exchange, ...]:
    """One exchange a match, in the order of the matches."""
    outcomes = {event["match_id"]: event for event in _of_kind(events, "outcome")}
    rewards = {event["match_id"]: event for event in _of_kind(events, "reward")}
    packages = {event["match_id"]: event for event in _of_kind(events, "package")}
    paths = {match_id: path for event in _of_kind(events, "path") for match_id, path in event["paths"].items()}
    matches = [match for event in _of_kind(events, "match") for match in event["matches"]]
    ids = [match["match_id"] for match in matches]
    return tuple(
        _exchange(match, outcomes.get(one), rewards.get(one), packages.get(one, {}), paths.get(one))
        for match, one in zip(matches, ids, strict=True)
    )


def _exchange(match: Event, outcome: Event | None, reward: Event | None, package: Event, path: str | None) -> Exchange:
    names = {key: match[key] for key in ("match_id", "round", "teacher", "student", "protocol")}
    measured = {key: outcome[key] for key in ("loss_before", "loss_after", "bytes", "texts", "kept", "accepted")} if outcome else {}
    vetted = {"withheld": package.get("withheld", 0), "sier": package.get("sier")}
    refused = outcome.get("refused", 0) if outcome else 0
    return Exchange(**names, **measured, **vetted, refused=refused, reward=reward["raw"] if reward else None, path=path)
