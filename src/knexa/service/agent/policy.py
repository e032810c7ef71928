"""An agent's own policy: what it does not do, whatever the coordinator says. A file that never leaves its machine.

Terms in ``agents[]`` of federation.toml are agreed on by all, so that the matchmaker does not propose what nobody would do. A policy is
nobody else's business: what it vetoes is reported as refused, without a reason.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from knexa.config import GuardrailConfig, Section
from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.package import KnowledgePackage
from knexa.layers import explain, file_layer
from knexa.matching.match import Match
from knexa.service.identity import Identity

DAY_S = 24 * 3600.0
#: Bytes that no package has.
_UNBOUNDED = 2**40
_HOURS = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A package that was sent (``taught``) or taken, of so many ``bytes`` and ``texts``, at ``time`` (Unix seconds); ``partner``: agent."""

    time: float
    taught: bool
    bytes: int
    partner: str = ""
    texts: int = 0


class Policy(Section):
    """Without a file everything is allowed. Names are those of agents, or of organisations for all of their agents."""

    teaches: tuple[str, ...] | None = Field(None, description="whom it teaches; none = everybody")
    learns_from: tuple[str, ...] | None = Field(None, description="whom it learns from; none = everybody")
    protocols: tuple[Literal["text", "logits", "adapter"], ...] = Field(
        ("text", "logits", "adapter"), description="how it exchanges knowledge, of what its terms allow"
    )
    lessons_a_day: int | None = Field(None, ge=0, description="most exchanges in which it teaches within 24 hours; none = no bound")
    kilobytes_a_day: float | None = Field(None, ge=0, description="most that it sends and takes within 24 hours; none = no bound")
    texts_a_day_each: int | None = Field(
        None, ge=0, description="most texts that it sends to one organisation, all its agents together, within 24 hours; none = no bound"
    )
    kilobytes_a_day_each: float | None = Field(
        None, ge=0, description="most that it sends to one organisation, all its agents together, within 24 hours; none = no bound"
    )
    kilobytes: float | None = Field(None, gt=0, description="most in one package that it sends or takes; none = what the ticket allows")
    hours: str | None = Field(
        None, pattern=_HOURS, description="when it exchanges, in the local time of its machine, such as 20:00-06:00; none = always"
    )

    guardrail: GuardrailConfig | None = Field(None, description="what of [guardrail] in federation.toml is otherwise here")

    def veto(self, match: Match, own: str, members: Mapping[str, Identity], book: Sequence[Exchanged], now: float) -> str:
        """Why agent ``own`` does not do ``match``; "" if it does. ``book``: its exchanges so far. ``now``: Unix seconds."""
        teaching = match.teacher == own
        partner = match.student if teaching else match.teacher
        allowed, key = (self.teaches, "teaches") if teaching else (self.learns_from, "learns_from")
        names = {partner, members[partner].organisation} if partner in members else {partner}
        today = [one for one in book if now - one.time < DAY_S]
        if allowed is not None and names.isdisjoint(allowed):
            return f"{partner} is not named in {key}"
        if match.protocol not in self.protocols:
            return f"protocol {match.protocol} is not named in protocols"
        if teaching and self.lessons_a_day is not None and sum(one.taught for one in today) >= self.lessons_a_day:
            return f"it has taught {self.lessons_a_day} times within a day (lessons_a_day)"
        if self.kilobytes_a_day is not None and sum(one.bytes for one in today) >= 1024 * self.kilobytes_a_day:
            return f"it has exchanged {self.kilobytes_a_day:g} kB within a day (kilobytes_a_day)"
        if teaching and (spent := self._spent(partner, members, book, now)):
            return spent
        if self.hours is not None and not _within(self.hours, now):
            return f"it is not between {self.hours.replace('-', ' and ')} (hours)"
        return ""

    def guardrail_over(self, federation: GuardrailConfig) -> GuardrailConfig:
        """What ``federation`` says, and what this policy says otherwise."""
        own = self.guardrail
        return federation if own is None else federation.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})

    def sendable(
        self, package: KnowledgePackage, student: str, members: Mapping[str, Identity], book: Sequence[Exchanged], now: float
    ) -> KnowledgePackage:
        """What of ``package`` may be sent to ``student``. PeerError if that is nothing: tensors are not cut."""
        sent = _sent_to(student, members, book, now)
        room = self.room(book, now)
        if self.kilobytes_a_day_each is not None:
            room = min(room, max(int(1024 * self.kilobytes_a_day_each) - sum(one.bytes for one in sent), 0))
        if self.texts_a_day_each is not None:
            package = package.first(max(self.texts_a_day_each - sum(one.texts for one in sent), 0))
        smaller = package.within(min(room, _UNBOUNDED))
        _require_room(smaller, room)
        return smaller

    def _spent(self, student: str, members: Mapping[str, Identity], book: Sequence[Exchanged], now: float) -> str:
        """Why nothing more goes to the organisation of ``student`` today; "" if something may."""
        sent, who = _sent_to(student, members, book, now), _organisation(student, members)
        if self.texts_a_day_each is not None and sum(one.texts for one in sent) >= self.texts_a_day_each:
            return f"{who} has had {self.texts_a_day_each} texts within a day (texts_a_day_each)"
        if self.kilobytes_a_day_each is not None and sum(one.bytes for one in sent) >= 1024 * self.kilobytes_a_day_each:
            return f"{who} has had {self.kilobytes_a_day_each:g} kB within a day (kilobytes_a_day_each)"
        return ""

    def check_size(self, package: KnowledgePackage, book: Sequence[Exchanged], now: float) -> None:
        """Raises PeerError for a package that is larger than allowed."""
        _require_room(package, self.room(book, now))

    def room(self, book: Sequence[Exchanged], now: float) -> int:
        """Bytes that a package may have: of what one may have, and of what is left of the day's."""
        today = sum(one.bytes for one in book if now - one.time < DAY_S)
        one = _UNBOUNDED if self.kilobytes is None else int(1024 * self.kilobytes)
        left = _UNBOUNDED if self.kilobytes_a_day is None else int(1024 * self.kilobytes_a_day) - today
        return max(min(one, left), 0)


def _require_room(package: KnowledgePackage, room: int) -> None:
    size = len(package.to_bytes())
    if size > room:
        raise PeerError(f"the package of {package.match_id} has {size / 1024:.1f} kB; this agent's policy allows {room / 1024:.1f} now")


def _sent_to(student: str, members: Mapping[str, Identity], book: Sequence[Exchanged], now: float) -> list[Exchanged]:
    """What went to the organisation of ``student`` within a day."""
    who = _organisation(student, members)
    return [one for one in book if one.taught and now - one.time < DAY_S and _organisation(one.partner, members) == who]


def _organisation(agent: str, members: Mapping[str, Identity]) -> str:
    return members[agent].organisation if agent in members else agent


def load_policy(path: Path | None) -> Policy:
    """The policy in the TOML file at ``path``; everything is allowed without one. Raises ConfigurationError."""
    if path is None:
        return Policy()
    layer = file_layer(path, "pass a policy.toml, docs/agents-guide.md has one")
    try:
        policy = Policy.model_validate(layer.data)
    except ValidationError as error:
        raise explain(Policy, [layer], error) from error
    if policy.hours is not None and len(set(policy.hours.split("-"))) == 1:
        raise ConfigurationError(f"{layer.name(('hours',))}: found {policy.hours!r}, which is never; leave it out for always")
    return policy


def check_names(policy: Policy, members: Mapping[str, Identity]) -> None:
    """Raises ConfigurationError for a name that is nobody's, or two parties': a slip would refuse everybody, or let the wrong ones in."""
    organisations = {identity.organisation for identity in members.values()}
    known = {*members, *organisations}
    double = {name for name, identity in members.items() if name in organisations and identity.organisation != name}
    for key, names in (("teaches", policy.teaches), ("learns_from", policy.learns_from)):
        for name in names or ():
            if name not in known:
                raise ConfigurationError(
                    f"policy, {key}: found {name!r}; allowed: agents and organisations of federation.toml: {', '.join(sorted(known))}"
                )
            if name in double:
                raise ConfigurationError(f"policy, {key}: {name!r} is an organisation, and an agent of another; name the agents one by one")


def _within(hours: str, now: float) -> bool:
    """A span that ends before it begins goes over midnight."""
    local = time.localtime(now)
    minute = 60 * local.tm_hour + local.tm_min
    begin, end = (60 * int(hour) + int(rest) for hour, rest in re.findall(r"(\d\d):(\d\d)", hours))
    return begin <= minute < end if begin <= end else minute >= begin or minute < end
