"""Values of the protocol as JSON and back, exactly: for what a process saves and goes on from.

The classes are a closed list. What was saved is read as data only, so a foreign folder cannot execute anything.
"""

from __future__ import annotations

import base64
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from knexa.errors import RunFolderError
from knexa.exchange.guardrail import Action, Finding, Reviewed
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedAnswer, VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.protocol import agent, messages, peer

_CLASSES: tuple[type, ...] = (
    *(Match, Outcome, Profile, KnowledgeRequest, KnowledgePackage),
    *(VettedPackage, VettedAnswer, Reviewed, Finding, Action),
    *(messages.RoundOpened, messages.Matched, messages.Finished),
    *(messages.ProfileReported, messages.OutcomeReported, messages.ExchangeFailed),
    *(peer.KnowledgeRequested, peer.KnowledgeSent, peer.Train, peer.Ask, peer.Teach, peer.Study),
    *(agent.AgentState, agent.Phase),
)
_KIND = "is"


class JsonForm:
    """The way to JSON and back for the protocol's classes and ``more``, in tuples, dicts with text keys, text, bytes, numbers, None."""

    def __init__(self, *more: type) -> None:
        self._by_name = {cls.__name__: cls for cls in (*_CLASSES, *more)}

    def to_json(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return {_KIND: type(value).__name__, "value": value.value}
        if is_dataclass(value) and not isinstance(value, type):
            return {_KIND: type(value).__name__, **{one.name: self.to_json(getattr(value, one.name)) for one in fields(value)}}
        if isinstance(value, dict):
            return {_KIND: "dict", "items": [[key, self.to_json(one)] for key, one in value.items()]}
        if isinstance(value, bytes):
            return {_KIND: "bytes", "base64": base64.b64encode(value).decode()}
        if isinstance(value, tuple):
            return [self.to_json(one) for one in value]
        return value

    def from_json(self, form: Any) -> Any:
        """The value that :meth:`to_json` was given. Raises RunFolderError for a class that is not on the list."""
        if isinstance(form, list):
            return tuple(self.from_json(one) for one in form)
        if not isinstance(form, dict):
            return form
        rest = {key: self.from_json(one) for key, one in form.items() if key != _KIND}
        kind = form.get(_KIND)
        if kind == "dict":
            return dict(rest["items"])
        if kind == "bytes":
            return base64.b64decode(rest["base64"])
        if kind not in self._by_name:
            raise RunFolderError(f"what was saved holds a value of unknown kind {kind!r}; resume with the version of knexa that wrote it")
        return self._by_name[kind](**rest)
