"""What comes into an agent's queue, and which evaluations are due with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from knexa.exchange.guardrail import Review
from knexa.participant.contract import Stage
from knexa.protocol.messages import Message
from knexa.protocol.peer import Ask, PeerMessage, Result, Study, Teach, Train, Work


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, from the coordinator or a peer."""

    sender: str
    message: Message | PeerMessage


@dataclass(frozen=True, slots=True)
class Done:
    """``scores``: evaluations that were due, by name. ``result``: of the work, None if there was only evaluating to do."""

    scores: Mapping[str, Mapping[str, Any]]
    result: Result | None
    learner: bytes


@dataclass(frozen=True, slots=True)
class Woke:
    """Some time has passed, or something is done."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The teacher of this match has been given up."""

    match_id: str


@dataclass(frozen=True, slots=True)
class Broke:
    """Something beside the queue failed, and the process with it."""

    error: BaseException


Input = Heard | Done | Woke | Unreachable | Broke


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``name``: in the reports, such as ``round-10``. ``round``: the one that it is after."""

    stage: Stage
    name: str
    round: int


def due(work: Work | None, every: int, rounds: int, evaluated: Collection[str]) -> list[Evaluation]:
    """Evaluations that come before ``work``, at the same moments as in a simulation; None is the end. ``every``: 0 = never between.

    ``evaluated``: names of those that are done.
    """
    if work is not None and not isinstance(work, Train):
        return []
    after = rounds if work is None else work.round - 1
    wanted = [Evaluation("start", "start", 0)] if after == 0 else []
    if after > 0 and every > 0 and after % every == 0:
        wanted.append(Evaluation("round", f"round-{after}", after))
    if work is None:
        wanted.append(Evaluation("end", "end", rounds))
    return [one for one in wanted if one.name not in evaluated]


def describe_review(review: Review) -> str:
    """What the guardrail found, by rule, and what it kept back. Never the text itself."""
    found = ", ".join(f"{rule} in {count}" for rule, count in review.by_rule.items())
    return f"the guardrail found {found} of {len(review.texts)} answers, and keeps {review.withheld} back"


def describe(work: Work) -> str:
    """For whoever watches the agent."""
    match work:
        case Train(round):
            return f"round {round}: training"
        case Ask(match):
            return f"round {match.round}: learns from {match.teacher} by {match.protocol}"
        case Teach(match, request):
            return f"round {match.round}: answers {len(request.prompt_ids)} prompts for {match.student}"
        case Study(match, package):
            return f"round {match.round}: studies {package.answers} answers of {match.teacher}"
