"""Protocol values as wire messages and back. What comes from another party either becomes a valid value or is a PeerError."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from knexa.errors import PeerError
from knexa.evaluation.problems import CATEGORIES
from knexa.matching.match import PROTOCOLS, Match, Outcome
from knexa.matching.profile import CATEGORY_COUNT, Profile
from knexa.protocol import messages
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Reach, Route, Way

#: What an agent reports: a message of the protocol, or the fields of an ``evaluation`` event without the agent's name.
Report = messages.ProfileReported | messages.OutcomeReported | messages.ExchangeFailed | Mapping[str, Any]

STAGES = ("start", "round", "end")
SPLITS = ("test", "validation")
NO_PACKAGE = "no usable package in time"

NO_ROUTE = Route(Way.NONE)
#: Before the name of a path in the schema.
_PATH = "PATH_"

_M = TypeVar("_M", bound=Message)

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LARGEST_COUNT = 1_000_000
#: What the coordinator calls categories of a federation's own data: their names are texts, and no text travels.
_NUMBERED = tuple(f"category {number:02}" for number in range(1, CATEGORY_COUNT + 1))


def parsed(kind: type[_M], data: bytes, sender: str) -> _M:
    """The message in ``data``, without fields that the schema does not know: nothing travels, or is kept, beside it.

    Raises PeerError if ``data`` is no message of that kind.
    """
    try:
        message = kind.FromString(data)
    except (DecodeError, ValueError) as error:
        raise PeerError(f"{sender!r} sent bytes that are no {kind.__name__} ({error})") from error
    message.DiscardUnknownFields()
    return message


# --- directives: coordinator -> agent


def directive(message: messages.Message, ticket: bytes = b"", route: Route = NO_ROUTE) -> pb.Directive:
    """``ticket`` and ``route`` (of the receiver) go with a match."""
    match message:
        case messages.RoundOpened(round):
            return pb.Directive(round_opened=pb.RoundOpened(round=round))
        case messages.Finished(rounds):
            return pb.Directive(finished=pb.Finished(rounds=rounds))
        case messages.Matched(match_):
            taken = _PATH + route.path.name
            matched = pb.Matched(match=_match(match_), ticket=ticket, path=taken, address=route.address, relay=route.relay)
            return pb.Directive(matched=matched)
        case _:
            raise ValueError(f"a {type(message).__name__} is nothing that a coordinator says")


def from_directive(sent: pb.Directive) -> messages.Message:
    """Raises PeerError for what no coordinator says."""
    match sent.WhichOneof("what"):
        case "round_opened":
            return messages.RoundOpened(_count(sent.round_opened.round, "round"))
        case "finished":
            return messages.Finished(_count(sent.finished.rounds, "number of rounds"))
        case "matched":
            return messages.Matched(_from_match(sent.matched.match))
        case _:
            raise PeerError("the coordinator sent a directive of no known kind; is it of another version of knexa?")


def from_route(sent: pb.Matched) -> Route:
    """How the exchange of a match that was told travels. Raises PeerError for what is no route."""
    named = {value: name for name, value in pb.Path.items()}.get(sent.path, "").removeprefix(_PATH)
    if named not in Way.__members__ or not _has_way(sent):
        raise PeerError(f"the coordinator sent the match {sent.match.match_id[:80]!r} with a route that is none")
    return Route(Way[named], sent.address, sent.relay)


def _has_way(sent: pb.Matched) -> bool:
    """Whether its address is one, and by way of a relay also who runs that."""
    relayed = f"{sent.relay}@{sent.address}" if sent.relay or (sent.path == pb.PATH_RELAY and sent.address) else ""
    return Reach(sent.address, relayed).valid


def _match(match: Match) -> pb.Match:
    return pb.Match(
        match_id=match.match_id,
        round=match.round,
        teacher=match.teacher,
        student=match.student,
        protocol=match.protocol,
        curriculum=match.curriculum,
        score=match.score,
        propensity=match.propensity,
    )


def _from_match(sent: pb.Match) -> Match:
    curriculum = tuple(sent.curriculum)
    good = not curriculum or (
        len(curriculum) == CATEGORY_COUNT and all(0.0 <= share <= 1.0 for share in curriculum) and abs(sum(curriculum) - 1.0) < 1e-6
    )
    if not good or sent.protocol not in PROTOCOLS or not math.isfinite(sent.score) or not 0.0 <= sent.propensity <= 1.0:
        raise PeerError(f"the coordinator sent the match {sent.match_id[:80]!r} with numbers that no match has")
    return Match(
        _identifier(sent.match_id, "match"),
        _count(sent.round, "round"),
        _identifier(sent.teacher, "teacher"),
        _identifier(sent.student, "student"),
        sent.protocol,
        curriculum,
        sent.score,
        sent.propensity,
    )


# --- reports: agent -> coordinator


def report(report_id: str, what: Report) -> pb.ReportRequest:
    """Raises ValueError for what no agent reports."""
    match what:
        case messages.ProfileReported(profile):
            return pb.ReportRequest(report_id=report_id, profile=_profile(profile))
        case messages.OutcomeReported(outcome):
            fields = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
            return pb.ReportRequest(report_id=report_id, outcome=pb.Outcome(**fields))
        case messages.ExchangeFailed(match_id, reason):
            why = pb.FAILURE_REASON_REFUSED if reason == messages.REFUSED else pb.FAILURE_REASON_NO_PACKAGE
            return pb.ReportRequest(report_id=report_id, failure=pb.Failure(match_id=match_id, reason=why))
        case Mapping():
            return pb.ReportRequest(report_id=report_id, evaluation=_evaluation(what))
        case _:
            raise ValueError(f"a {type(what).__name__} is nothing that an agent reports")


def from_report(agent: str, sent: pb.ReportRequest) -> tuple[str, Report]:
    """The report's id and content. ``agent``: who its certificate says it is. Raises PeerError for what breaks the schema."""
    report_id = _identifier(sent.report_id, "report")
    match sent.WhichOneof("what"):
        case "profile":
            return report_id, messages.ProfileReported(_from_profile(agent, sent.profile))
        case "outcome":
            fields = {name: getattr(sent.outcome, name) for name in Outcome.__dataclass_fields__}
            _identifier(sent.outcome.match_id, "match")
            return report_id, messages.OutcomeReported(Outcome(**fields))
        case "failure":
            reason = messages.REFUSED if sent.failure.reason == pb.FAILURE_REASON_REFUSED else NO_PACKAGE
            return report_id, messages.ExchangeFailed(_identifier(sent.failure.match_id, "match"), reason)
        case "evaluation":
            return report_id, _from_evaluation(agent, sent.evaluation)
        case _:
            raise PeerError(f"agent {agent!r} sent a report of no known kind; is it of another version of knexa?")


def _profile(profile: Profile) -> pb.Profile:
    fields = profile.to_dict()
    fields.pop("agent")
    return pb.Profile(**fields)


def _from_profile(agent: str, sent: pb.Profile) -> Profile:
    blocks = {name: list(getattr(sent, name)) for name in ("family", "metrics", "histogram", "probe", "coverage")}
    return Profile.from_dict({"agent": agent, "round": sent.round, "schema": sent.schema, **blocks})


def _evaluation(fields: Mapping[str, Any]) -> pb.Evaluation:
    scores = {int(name.removeprefix("pass@")): score for name, score in fields["scores"].items() if name.startswith("pass@")}
    return pb.Evaluation(
        stage=STAGES.index(fields["stage"]),
        round=fields["round"],
        split=SPLITS.index(fields["split"]),
        problems=fields["problems"],
        samples=fields["samples"],
        k=scores.keys(),
        pass_at_k=scores.values(),
        by_category=fields["by_category"].values(),
        own_categories=tuple(fields["by_category"]) != CATEGORIES,
        loss=fields["loss"],
        perplexity=fields["perplexity"],
        texts_kept=fields["texts_kept"],
        cut=fields["cut"],
        correct=fields["correct"],
        codebleu=fields["scores"].get("codebleu"),
        exact_match=fields["scores"].get("exact_match"),
    )


def _from_evaluation(agent: str, sent: pb.Evaluation) -> dict[str, Any]:
    whole = {name: getattr(sent, name) for name in ("codebleu", "exact_match") if sent.HasField(name)}
    shares = [*sent.pass_at_k, *sent.by_category, *whole.values()]
    sizes = (sent.round, sent.problems, sent.samples, sent.texts_kept, sent.cut, *sent.k)
    if (
        sent.stage >= len(STAGES)
        or sent.split >= len(SPLITS)
        or len(sent.k) != len(sent.pass_at_k)
        or not (1 if sent.own_categories else CATEGORY_COUNT) <= len(sent.by_category) <= CATEGORY_COUNT
        or not all(0.0 <= share <= 1.0 for share in shares)
        or not all(size <= _LARGEST_COUNT for size in sizes)
        or len(sent.k) > 16
        or len(sent.correct) != sent.problems
        or not all(count <= sent.samples for count in sent.correct)
    ):
        raise PeerError(
            f"agent {agent!r} reported an evaluation that breaks the schema: scores are shares, there are 12 categories, and each "
            "problem has its count of right answers"
        )
    return {
        "stage": STAGES[sent.stage],
        "round": sent.round,
        "split": SPLITS[sent.split],
        "problems": sent.problems,
        "samples": sent.samples,
        "scores": {f"pass@{k}": score for k, score in zip(sent.k, sent.pass_at_k, strict=True)} | whole,
        "by_category": dict(zip(_NUMBERED if sent.own_categories else CATEGORIES, sent.by_category, strict=False)),
        "loss": _optional(agent, sent, "loss"),
        "perplexity": _optional(agent, sent, "perplexity"),
        "texts_kept": sent.texts_kept,
        "cut": sent.cut,
        "correct": list(sent.correct),
    }


def _optional(agent: str, sent: pb.Evaluation, name: str) -> float | None:
    if not sent.HasField(name):
        return None
    value = float(getattr(sent, name))
    if not math.isfinite(value) or value < 0.0:
        raise PeerError(f"agent {agent!r} reported a {name} of {value}; it is finite and not negative, or absent")
    return value


def _count(value: int, what: str) -> int:
    if not 1 <= value <= _LARGEST_COUNT:
        raise PeerError(f"the coordinator sent a {what} of {value}")
    return value


def _identifier(text: str, what: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise PeerError(f"{text[:80]!r} is no name of a {what}: letters, digits, dots and dashes, at most 128")
    return text
