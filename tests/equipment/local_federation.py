"""Test equipment: configurations and journals for federations whose agents are numbers, and what is compared of two records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from knexa.config import FederationConfig, load_config
from knexa.events import read_events
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers import build_matchmaker
from knexa.matching.profile import CATEGORY_COUNT, METRICS, Profile, family_block
from knexa.protocol.coordinator import Coordinator
from knexa.protocol.messages import Matched, OutcomeReported, ProfileReported, RoundOpened
from knexa.randomness import stream
from knexa.service.cpm.conductor import Conductor
from knexa.service.cpm.journal import Journal, Snapshot
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb

#: A workplace whose agents are twelve numbers each: real processes, real TLS, no language model.
WORKPLACE = "scored_workplace:ScoredWorkplace"
NAMES = ("a", "b", "c", "d")
ROUNDS = 3


def small(*sets: str, rounds: int = 3) -> FederationConfig:
    return load_config(None, rounds=rounds, sets=("evaluation.curve_every=2", "transport.deadline_s=60", *sets))


def decisions(folder: Path) -> dict[str, list[str]]:
    """What has to be equal in every environment: who was paired, what was earned, and the matchmaker's state, round by round."""
    return {kind: [json.dumps(event) for event in read_events(folder) if event["kind"] == kind] for kind in ("match", "reward", "update")}


def final_scores(folder: Path) -> dict[str, Any]:
    """By agent."""
    return {event["agent"]: event for event in read_events(folder) if event["kind"] == "evaluation" and event["stage"] == "end"}


class Recorded:
    """A conductor of four agents over a journal, with the events that it writes."""

    def __init__(self, journal: Journal, snapshot: Snapshot | None = None, events: list[str] | None = None) -> None:
        """``events``: of the process before, for a ``snapshot`` to go on from."""
        config = load_config(None)
        matchmaker = build_matchmaker(config.matching, config.reward, ROUNDS, 1)
        coordinator = Coordinator(NAMES, matchmaker, ROUNDS, 100.0)
        self.events: list[str] = [] if events is None or snapshot is None else events[: snapshot.body["record"]["events"]]
        self.conductor = Conductor(
            coordinator,
            journal,
            header=lambda start: {"agents": list(NAMES), "start_hash": start},
            config="settings",
            record=self,
            on_said=lambda agents: None,
            snapshot=snapshot,
        )

    def begun(self) -> Self:
        """Everybody has joined at second 1, and the first round has opened at second 2."""
        for name in NAMES:
            self.conductor.join(name, join_request(name), name * 64, 1.0)
        self.conductor.start(2.0)
        return self

    def append(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.events.append(json.dumps({"kind": kind, **fields}))

    def mark(self) -> dict[str, int]:
        return {"events": len(self.events)}

    def told(self, agent: str) -> list[str]:
        return [repr(said.message) for said in self.conductor.holding(agent, 0)]

    def memory(self) -> object:
        """All that a restart has to restore."""
        coordinator = self.conductor.coordinator
        said = {name: self.told(name) for name in NAMES}
        return self.events, said, coordinator.phase, coordinator.round, coordinator.standings, self.conductor.wake_at

    def reports(self) -> list[tuple[str, pb.ReportRequest]]:
        """What each agent would report next, in the order of the agents: profiles, or outcomes of their matches."""
        due = []
        for name in NAMES:
            for said in self.conductor.holding(name, 0):
                match said.message:
                    case RoundOpened(round):
                        due.append((name, codec.report(f"profile-{round}", ProfileReported(profile(name, round)))))
                    case Matched(match_) if match_.student == name:
                        due.append((name, codec.report(f"outcome-{match_.match_id}", OutcomeReported(outcome(match_)))))
        return due


def join_request(name: str) -> pb.JoinRequest:
    return pb.JoinRequest(transfer_set="a" * 64, address=f"{name}.example:7440", config="settings", start=name.encode() * 32)


def profile(name: str, round: int) -> Profile:
    drawn = stream(round, "profile", name)
    histogram = tuple(drawn.dirichlet([0.3] * CATEGORY_COUNT).tolist())
    probe, coverage = tuple(drawn.random(CATEGORY_COUNT).tolist()), tuple(drawn.random(CATEGORY_COUNT).tolist())
    return Profile(name, round, family_block("gpt2"), tuple(drawn.random(len(METRICS)).tolist()), histogram, probe, coverage)


def outcome(match: Match) -> Outcome:
    gain = stream(match.round, "gain", match.teacher, match.student).normal() / 10
    return Outcome(match.match_id, 2.0, 2.0 - gain, 2.0, 2.0 - gain, 0.1, 0.2, bytes=900, texts=8, kept=5, accepted=True)
