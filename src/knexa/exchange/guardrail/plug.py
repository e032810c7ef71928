"""Guardrails of others beside ours: ``guardrail.plug = "module:object"``.

The object is called with the :class:`~knexa.config.GuardrailConfig` and returns something with ``review(texts)``, which returns a
:class:`~knexa.exchange.guardrail.review.Review` of just those texts. Of the two answers to a text the stricter holds, and the findings of
both are kept.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from knexa.config import GuardrailConfig
from knexa.errors import ConfigurationError
from knexa.exchange.guardrail.redaction import redacted
from knexa.exchange.guardrail.review import Action, Review, Reviewed


def load_plug(config: GuardrailConfig) -> Callable[[Sequence[str]], Sequence[Reviewed]] | None:
    """What reviews texts beside ours; None if nothing does. Raises ConfigurationError, also later, for an answer that is no review."""
    if config.plug is None:
        return None
    review = _loaded(config, config.plug)

    def checked(texts: Sequence[str]) -> Sequence[Reviewed]:
        answer = review(texts)
        if not isinstance(answer, Review) or len(answer.texts) != len(texts):
            raise ConfigurationError(f"guardrail.plug: {config.plug!r} gave no review of the {len(texts)} texts; return a Review of each")
        for text, one in zip(texts, answer.texts, strict=True):
            _check(config.plug, text, one)
        return answer.texts

    return checked


def _loaded(config: GuardrailConfig, plug: str) -> Callable[[Sequence[str]], object]:
    def unusable(why: object) -> ConfigurationError:
        return ConfigurationError(
            f"guardrail.plug: {plug!r} cannot be used ({why}); name a factory of guardrails, importable here, as module:object"
        )

    module, _, name = plug.partition(":")
    if not (module and name):
        raise unusable("it names no object of a module")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise unusable(error) from error
    if not callable(factory):
        raise unusable("the object cannot be called with a GuardrailConfig")
    review = getattr(factory(config), "review", None)
    if not callable(review):
        raise unusable("what it makes has no review(texts)")
    return review  # type: ignore[no-any-return]


def _check(plug: str | None, text: str, one: Reviewed) -> None:
    """Raises ConfigurationError for what contradicts itself, and for what would let out what is neither the text nor a redaction."""
    places = all(0 <= finding.start <= finding.end <= len(text) for finding in one.findings)
    withheld = one.action in (Action.QUARANTINE, Action.BLOCK)
    told = one.action is not Action.REDACT or any(finding.action is Action.REDACT for finding in one.findings)
    if not (places and told) or withheld != (one.text is None) or (one.action is Action.PASS and one.text != text):
        raise ConfigurationError(
            f"guardrail.plug: {plug!r} answered {one.action.value} with a text or findings that do not fit; a "
            f"text that passes is as it was, "
            "one that is withheld is None, findings lie inside, and a redaction has one"
        )


def stricter(text: str, ours: Reviewed, theirs: Reviewed) -> Reviewed:
    """Both answers to ``text`` as one."""
    findings = tuple(sorted({*ours.findings, *theirs.findings}, key=lambda one: (one.start, one.end, one.rule)))
    one, other = sorted((ours, theirs), key=lambda reviewed: reviewed.action.severity)
    sensitive = min(max(ours.tokens, theirs.tokens), ours.sensitive + theirs.sensitive)
    both = replace(other, findings=findings, tokens=ours.tokens, sensitive=sensitive, exposed=max(one.exposed, other.exposed))
    if other.action is not Action.REDACT or one.action is not Action.REDACT:
        return both if both.text is not None else replace(both, exposed=0)
    left = redacted(text, [(each.start, each.end) for each in findings if each.action is Action.REDACT])
    return replace(both, action=Action.QUARANTINE, text=None, exposed=0) if left is None else replace(both, text=left)
