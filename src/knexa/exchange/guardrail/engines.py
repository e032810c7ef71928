"""Engines of others as plug-ins: ``guardrail.plug = "knexa.exchange.guardrail.engines:Kingfisher"`` (``pip install 'knexa[guard]'``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from knexa.config import GuardrailConfig
from knexa.errors import ConfigurationError
from knexa.exchange.guardrail.guardrail import judged
from knexa.exchange.guardrail.review import Action, Finding, Review


class Kingfisher:
    """The rules of ``kingfisher-secret-scanner`` (Apache-2.0), several hundred services, on texts as they stand and in base64. Offline.

    Findings are called ``secret/kingfisher-<rule>``; what becomes of them is ``guardrail.secrets``. Raises ConfigurationError if it is not
    installed. A process compiles the rules once; they are kept in the user's cache folder.
    """

    def __init__(self, config: GuardrailConfig) -> None:
        self._action = Action(config.secrets)
        self._scanner = _scanner()

    def review(self, texts: Sequence[str]) -> Review:
        """What becomes of each of ``texts``."""
        return Review(tuple(judged(text, self._findings(text)) for text in texts))

    def _findings(self, text: str) -> list[Finding]:
        content = text.encode("utf-8", "replace")
        found = []
        for one in self._scanner.scan(content):
            if one.visible:
                start, end = (len(content[: one.location[edge]].decode("utf-8", "ignore")) for edge in ("start_offset", "end_offset"))
                found.append(Finding(f"secret/kingfisher-{one.rule_id.rpartition('.')[2]}", start, end, self._action))
        return found


@lru_cache(maxsize=1)
def _scanner() -> Any:
    try:
        from kingfisher_sdk import Scanner
    except ImportError as error:
        raise ConfigurationError(
            f"guardrail.plug: kingfisher-secret-scanner cannot be imported ({error}); pip install 'knexa[guard]'"
        ) from error
    return Scanner()
