"""An agent's gate: every text passes its guardrail on the way out, and its filter on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from knexa.config import GuardrailConfig
from knexa.errors import ConfigurationError
from knexa.exchange.guardrail import Action, Guardrail, IncomingFilter, Reviewed, count_tokens
from knexa.exchange.package import KnowledgePackage
from knexa.exchange.transfer_set import TransferSet
from knexa.exchange.vetting import VettedAnswer
from knexa.participant.data import PrivateData
from knexa.paths import UNUSABLE


class Gate:
    """Of one agent. Both directions are functions of the texts, the agent's private data and the configuration."""

    def __init__(self, private: PrivateData, transfer_set: TransferSet, config: GuardrailConfig) -> None:
        """Raises ConfigurationError where a file or a plug-in that ``config`` names cannot be used."""
        own = [text for problem in (*private.train, *private.validation) for text in (problem.prompt, problem.solution)]
        public = [text for problem in transfer_set.problems.values() for text in (problem.prompt, problem.test)]
        self._outgoing = Guardrail(own, public_texts=public, canaries=_canaries(config), config=config) if config.outgoing else None
        self._incoming = IncomingFilter(config) if config.incoming else None

    def vet(self, answers: Sequence[tuple[str, str]]) -> tuple[VettedAnswer, ...]:
        """What becomes of each answer, a prompt's id with a text, on its way out. Everything leaves where the guardrail is off."""
        texts = [text for _, text in answers]
        if self._outgoing is None:
            return unvetted(answers)
        reviewed = self._outgoing.review(texts).texts
        return tuple(
            VettedAnswer(prompt, one, text if one.action is Action.QUARANTINE else "")
            for (prompt, text), one in zip(answers, reviewed, strict=True)
        )

    def admit(self, package: KnowledgePackage) -> Admitted:
        """What of ``package`` is looked at any further. Logits are about a text as it was: what would be redacted is refused with them."""
        if self._incoming is None:
            return Admitted(package, 0)
        answers = [(prompt, text) for prompt in package.texts for text in package.candidates(prompt)]
        review = self._incoming.review([text for _, text in answers])
        kept: dict[str, list[str]] = {}
        for (prompt, _), one in zip(answers, review.texts, strict=True):
            if one.text is not None and not (package.tensors and one.action is Action.REDACT):
                kept.setdefault(prompt, []).append(one.text)
        texts = {prompt: few[0] for prompt, few in kept.items()}
        others = {prompt: tuple(few[1:]) for prompt, few in kept.items() if few[1:]}
        admitted = replace(package, texts=texts, others=others)
        return Admitted(admitted, package.answers - admitted.answers)


def unvetted(answers: Sequence[tuple[str, str]]) -> tuple[VettedAnswer, ...]:
    """All of them leave."""
    return tuple(VettedAnswer(prompt, Reviewed(Action.PASS, text, tokens=count_tokens(text))) for prompt, text in answers)


@dataclass(frozen=True, slots=True)
class Admitted:
    """``package``: without what was refused; ``refused``: how many of its texts that were."""

    package: KnowledgePackage
    refused: int


def _canaries(config: GuardrailConfig) -> list[str]:
    if config.canary_file is None:
        return []
    try:
        lines = Path(config.canary_file).expanduser().read_text(encoding="utf-8").splitlines()
    except UNUSABLE as error:
        reason = getattr(error, "strerror", None) or ("not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error))
        raise ConfigurationError(
            f"guardrail.canary_file: {config.canary_file} cannot be read ({reason}); name a file with one text a line"
        ) from error
    return [line.strip() for line in lines if line.strip()]
