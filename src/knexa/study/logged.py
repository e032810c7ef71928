"""The rounds of a run as its matchmaker saw them, read back from the event log: all that a replay needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from knexa.errors import PeerError, RunFolderError
from knexa.events import read_events
from knexa.matching import Candidate, Match, Outcome, Profile


@dataclass(slots=True)
class LoggedRound:
    """``candidates``: every admissible pair with its context and propensity. ``matches``: the chosen ones.

    ``outcomes``: what was reported from here to the next choice, of whichever match, in that order. ``refused``: ids of matches that
    their students did not want.
    """

    round: int
    profiles: Mapping[str, Profile]
    candidates: tuple[Candidate, ...]
    matches: tuple[Match, ...]
    outcomes: list[Outcome] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


def logged_rounds(folder: Path) -> list[LoggedRound]:
    """All rounds in which somebody was chosen. Raises RunFolderError if the log lacks what a replay needs."""
    profiles: dict[str, Profile] = {}
    rounds: list[LoggedRound] = []
    try:
        for event in read_events(folder):
            match event["kind"]:
                case "profile":
                    profiles[event["agent"]] = Profile.from_dict({key: value for key, value in event.items() if key != "kind"})
                case "match" if event["matches"]:
                    rounds.append(_round(event, profiles))
                case "outcome":
                    rounds[-1].outcomes.append(_outcome(event))
                case "fault" if "refused" in event:
                    rounds[-1].refused.add(event["refused"])
    except (KeyError, TypeError, IndexError, PeerError) as error:
        raise RunFolderError(
            f"{folder}: events.jsonl cannot be replayed ({error}); it was changed by hand or by another version"
        ) from error
    if not rounds:
        raise RunFolderError(f"{folder}: nobody was paired in this run, so there is nothing to replay")
    if not all(one.candidates for one in rounds):
        raise RunFolderError(f"{folder}: candidates were not logged; run it with matching.log_candidates = true, and at most 128 agents")
    return rounds


def _round(event: Mapping[str, Any], profiles: Mapping[str, Profile]) -> LoggedRound:
    candidates = tuple(Candidate(**{**one, "context": tuple(one["context"])}) for one in event.get("candidates") or ())
    matches = tuple(Match(**{**one, "curriculum": tuple(one["curriculum"])}) for one in event["matches"])
    present = _present(candidates) or {agent for match in matches for agent in (match.teacher, match.student)}
    return LoggedRound(event["round"], {name: profiles[name] for name in sorted(present)}, candidates, matches)


def _present(candidates: Sequence[Candidate]) -> set[str]:
    return {agent for one in candidates for agent in (one.teacher, one.student)}


def _outcome(event: Mapping[str, Any]) -> Outcome:
    return Outcome(**{one.name: event[one.name] for one in fields(Outcome)})
