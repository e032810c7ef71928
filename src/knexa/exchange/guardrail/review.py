"""What a guardrail says of texts: findings by rule and place, what becomes of each text, and the share of sensitive tokens.

A finding never holds what was found, so that a review can be shown, logged and counted without being a leak itself.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum

#: A token, for counting: a word, or one character that belongs to none.
TOKEN = re.compile(r"\w+|[^\w\s]")


class Action(Enum):
    """What becomes of a text, the mildest first. Quarantined texts stay here, for a person to look at; blocked ones are only counted."""

    PASS = "pass"
    REDACT = "redact"
    QUARANTINE = "quarantine"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        return list(Action).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """``rule``: family and name, such as ``secret/aws-access-key``. ``start``, ``end``: characters of the text it was found in."""

    rule: str
    start: int
    end: int
    action: Action

    @property
    def family(self) -> str:
        return self.rule.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One text after its review. ``text``: what may leave, with redactions; None if nothing may.

    ``tokens``: of the text as it was. ``sensitive``: of those, how many lie in a finding. ``exposed``: how many of these may leave.
    """

    action: Action
    text: str | None
    findings: tuple[Finding, ...] = ()
    tokens: int = 0
    sensitive: int = 0
    exposed: int = 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the rules that decided: those whose action was taken."""
        return tuple(dict.fromkeys(one.rule for one in self.findings if one.action is self.action and one.action is not Action.PASS))


@dataclass(frozen=True, slots=True)
class Review:
    """One :class:`Reviewed` a text, in the order of the texts."""

    texts: tuple[Reviewed, ...] = ()

    @property
    def withheld(self) -> int:
        """Texts that do not leave."""
        return sum(one.text is None for one in self.texts)

    @property
    def sier(self) -> float:
        """Sensitive information exposure rate: of all tokens that may leave, the share that lies in a finding; 0 if none leave."""
        leaving = sum(count_tokens(one.text) for one in self.texts if one.text is not None)
        return sum(one.exposed for one in self.texts) / leaving if leaving else 0.0

    @property
    def by_rule(self) -> dict[str, int]:
        """How many texts each rule has found something in, by name."""
        return dict(sorted(Counter(rule for one in self.texts for rule in {finding.rule for finding in one.findings}).items()))


def count_tokens(text: str) -> int:
    return len(TOKEN.findall(text))
