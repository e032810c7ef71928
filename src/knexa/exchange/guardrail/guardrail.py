"""The outgoing guardrail: reviews texts before they leave an agent, and says what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from knexa.config import GuardrailConfig
from knexa.exchange.guardrail.canaries import Canaries
from knexa.exchange.guardrail.licences import find_licences
from knexa.exchange.guardrail.overlap import PrivateTexts
from knexa.exchange.guardrail.personal import find_personal
from knexa.exchange.guardrail.plug import load_plug, stricter
from knexa.exchange.guardrail.redaction import merged, redacted
from knexa.exchange.guardrail.review import TOKEN, Action, Finding, Review, Reviewed, count_tokens
from knexa.exchange.guardrail.secrets import Hit, find_secrets
from knexa.exchange.guardrail.views import TooManyViewsError, View, views

#: Which key of the configuration says what becomes of a text with a finding of this family.
_FAMILIES = {"secret": "secrets", "personal": "personal", "licence": "licences", "private": "private", "canary": "canaries"}


class Guardrail:
    """Reviews texts; a function of the texts and of what it was made with, without clock or randomness.

    ``private_texts``: the agent's own. ``public_texts``: what everybody holds, which is never private. ``canaries``: texts planted in
    the agent's data. Raises ConfigurationError for a plug-in (``config.plug``) that cannot be used.
    """

    def __init__(
        self,
        private_texts: Sequence[str] = (),
        *,
        public_texts: Sequence[str] = (),
        canaries: Sequence[str] = (),
        config: GuardrailConfig | None = None,
    ) -> None:
        self.config = config or GuardrailConfig()
        self._private = PrivateTexts(private_texts, public_texts, self.config.private_tokens)
        self._canaries = Canaries(canaries)
        self._actions = {family: Action(getattr(self.config, key)) for family, key in _FAMILIES.items()}
        self._plug = load_plug(self.config)

    def review(self, texts: Sequence[str]) -> Review:
        """What becomes of each of ``texts``. No more than ``config.sier`` of what leaves is sensitive: see :func:`bounded`."""
        ours = [settled(judged(text, self._findings(text)), self._findings) for text in texts]
        if self._plug is not None:
            ours = [stricter(text, one, other) for text, one, other in zip(texts, ours, self._plug(texts), strict=True)]
        return Review(tuple(bounded(ours, self.config.sier)))

    def _findings(self, text: str) -> list[Finding]:
        hits = [*find_plain(text), *find_licences(text), *self._private.find(text), *self._canaries.find(text)]
        hits += find_hidden(text, (plain_in, lambda one, _: self._canaries.find(one), lambda one, _: self._private.find_pieces(one)))
        return [Finding(rule, start, end, self._actions[rule.partition("/")[0]]) for rule, start, end in dict.fromkeys(hits)]


def find_plain(text: str) -> Iterator[Hit]:
    """Secrets and personal data, as they stand."""
    yield from find_secrets(text)
    yield from find_personal(text)


def find_hidden(text: str, finders: Iterable[Callable[[str, bool], Iterable[Hit]]]) -> Iterator[Hit]:
    """What the finders see in other views of ``text``, under names such as ``secret/github-token+base64``, over the whole piece.

    A finder is told whether the view is a turned one (:class:`~.views.View`).
    """
    finders = tuple(finders)
    try:
        for view in views(text):
            for find in finders:
                for rule, start, end in find(view.text, view.turned):
                    yield f"{rule}+{view.how}", *_placed(view, start, end)
    except TooManyViewsError:
        yield "secret/too-many-encodings", 0, len(text)


def _placed(view: View, start: int, end: int) -> tuple[int, int]:
    """Where in the text that lies which was found in a view of it. Turned around or letter by letter, it lies where it is."""
    if view.how == "rot13":
        return view.start + start, view.start + end
    if view.how == "reversed":
        return view.end - end, view.end - start
    return view.start, view.end


def plain_in(text: str, turned: bool) -> Iterator[Hit]:
    """Secrets and personal data in a view of a text, ``turned`` or not."""
    # What is drawn at random looks so however it is turned; only a view that makes it readable says anything new.
    yield from (hit for hit in find_secrets(text) if hit[0] != "secret/high-entropy")
    yield from find_personal(text, words_only=turned)


def judged(text: str, findings: Sequence[Finding]) -> Reviewed:
    """The strictest action of all findings, carried out. A program that would be none after a redaction is quarantined."""
    if not findings:
        return Reviewed(Action.PASS, text, (), count_tokens(text))
    tokens = [(one.start(), one.end()) for one in TOKEN.finditer(text)]
    spans = merged((one.start, one.end) for one in findings)
    sensitive = sum(any(start < last and first < end for first, last in spans) for start, end in tokens)
    action = max((one.action for one in findings), key=lambda one: one.severity)
    found = tuple(sorted(findings, key=lambda one: (one.start, one.end, one.rule)))
    if action is Action.PASS:
        return Reviewed(action, text, found, len(tokens), sensitive, sensitive)
    if action is not Action.REDACT:
        return Reviewed(action, None, found, len(tokens), sensitive)
    left = redacted(text, [(one.start, one.end) for one in findings if one.action is Action.REDACT])
    if left is None:
        return Reviewed(Action.QUARANTINE, None, found, len(tokens), sensitive)
    passed = merged((one.start, one.end) for one in findings if one.action is Action.PASS)
    exposed = sum(count_tokens(text[first:last]) for first, last in passed)
    return Reviewed(action, left, found, len(tokens), sensitive, min(exposed, count_tokens(left)))


def settled(one: Reviewed, find: Callable[[str], Iterable[Finding]]) -> Reviewed:
    """``one``, quarantined if something is still to be found in what its redaction left: pieces of it, or what shows only now."""
    if one.action is not Action.REDACT or one.text is None or all(finding.action is Action.PASS for finding in find(one.text)):
        return one
    return replace(one, action=Action.QUARANTINE, text=None, exposed=0)


def bounded(reviewed: Sequence[Reviewed], sier: float) -> list[Reviewed]:
    """``reviewed``, of which so many texts are quarantined, those with the most exposed tokens first, that the bound holds."""
    kept = list(reviewed)
    leaving = {number: count_tokens(one.text) for number, one in enumerate(kept) if one.text is not None}
    exposed, tokens = sum(one.exposed for one in kept), sum(leaving.values())
    for number in sorted(leaving, key=lambda number: -kept[number].exposed):
        if not tokens or exposed / tokens <= sier:
            break
        exposed, tokens = exposed - kept[number].exposed, tokens - leaving[number]
        kept[number] = replace(kept[number], action=Action.QUARANTINE, text=None, exposed=0)
    return kept
