"""A package as its teacher keeps it: what is to leave, and beside it what the teacher's own guardrail said of every answer.

Only :attr:`VettedPackage.package` travels. The rest is for the egress ledger (:mod:`knexa.exchange.ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knexa.exchange.guardrail.review import Review, Reviewed
from knexa.exchange.package import KnowledgePackage


@dataclass(frozen=True, slots=True)
class VettedAnswer:
    """One answer to ``prompt``. ``held``: the text as it was written, if it is quarantined; it stays with the teacher."""

    prompt: str
    reviewed: Reviewed
    held: str = ""


@dataclass(frozen=True, slots=True)
class VettedPackage:
    """``answers``: all that were written for ``package``, also those that are not in it."""

    package: KnowledgePackage
    answers: tuple[VettedAnswer, ...] = ()

    @property
    def review(self) -> Review:
        return Review(tuple(answer.reviewed for answer in self.answers))

    @property
    def findings(self) -> Mapping[tuple[str, str], Reviewed]:
        """By prompt and text, of those texts that may leave."""
        return {(one.prompt, one.reviewed.text): one.reviewed for one in self.answers if one.reviewed.text is not None}
