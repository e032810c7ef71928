"""A guardrail of one's own: names of projects stay at home."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from knexa.config import GuardrailConfig
from knexa.exchange.guardrail import Action, Finding, Review, Reviewed, count_tokens

NAMES = Path(__file__).with_name("project_names.txt")


class ProjectNames:
    """Withholds, for a person to look at, every text with a name of ``project_names.txt``, one a line; case does not matter."""

    def __init__(self, config: GuardrailConfig) -> None:
        names = [line.strip() for line in NAMES.read_text(encoding="utf-8").splitlines() if line.strip()]
        self._form = re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b", re.IGNORECASE)

    def review(self, texts: Sequence[str]) -> Review:
        return Review(tuple(self._reviewed(text) for text in texts))

    def _reviewed(self, text: str) -> Reviewed:
        found = tuple(Finding("own/project-name", one.start(), one.end(), Action.QUARANTINE) for one in self._form.finditer(text))
        tokens = count_tokens(text)
        if not found:
            return Reviewed(Action.PASS, text, tokens=tokens)
        return Reviewed(Action.QUARANTINE, None, found, tokens, sensitive=len(found))
