"""The incoming filter: what of a teacher's texts a student looks at any further. A text is data; nothing in it is obeyed.

Programs are checked for what they do besides answering: calls into the network, other processes, other files' deletion, code made of
data, a branch on one odd constant. Texts are checked for what they say to a model instead of to a reader. Somebody else's secrets and
personal data are not learned.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from knexa.config import GuardrailConfig
from knexa.exchange.guardrail.guardrail import find_hidden, find_plain, judged, plain_in, settled
from knexa.exchange.guardrail.incoming_rules import RULES
from knexa.exchange.guardrail.review import Action, Finding, Review
from knexa.exchange.guardrail.secrets import Hit

#: A longer line is no answer; nor is a text of which one line is this share, so often at least; nor one that can be packed to this share.
_LONGEST_LINE, _REPEATED_SHARE, _REPEATS, _PACKED = 1000, 0.4, 12, 0.03
#: Of shorter texts nothing is said by packing them.
_LONG = 2000
_ACTIONS = {"secret": "secrets", "personal": "personal"}
#: Letters of Cyrillic and Greek that look like Latin ones.
_LOOK_ALIKE = frozenset(
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0501\u04bb\u04cf\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405"
    "\u03bf\u03bd\u03c1\u03b9\u03ba\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
)
_WORD = re.compile(r"[^\W_]+")


class IncomingFilter:
    """Reviews texts of others; a function of the texts and of its configuration."""

    def __init__(self, config: GuardrailConfig | None = None) -> None:
        self.config = config or GuardrailConfig()

    def review(self, texts: Sequence[str]) -> Review:
        """What becomes of each of ``texts`` here: read on, read redacted, or not at all."""
        return Review(tuple(settled(judged(text, self._findings(text)), self._findings) for text in texts))

    def _findings(self, text: str) -> list[Finding]:
        hits = list(_shape(text))
        if not hits:  # what has no shape of an answer is blocked, and not searched: some rules take long for endless lines
            hits = [*_programs(text), *_characters(text), *find_plain(text)]
            hits += find_hidden(text, (lambda one, _: _programs(one), plain_in))
        return [Finding(rule, start, end, self._action(rule)) for rule, start, end in dict.fromkeys(hits)]

    def _action(self, rule: str) -> Action:
        key = _ACTIONS.get(rule.partition("/")[0])
        return Action.BLOCK if key is None else Action(getattr(self.config, key))


def _programs(text: str) -> Iterator[Hit]:
    low = text.lower()
    for name, literals, form in RULES:
        if any(one in low for one in literals):
            for match in form.finditer(text):
                yield f"incoming/{name}", match.start(), match.end()


def _characters(text: str) -> Iterator[Hit]:
    """What no reader sees, and words with letters of another alphabet that look alike."""
    if text.isascii():
        return
    for place, one in enumerate(text):
        if _is_invisible(text, place, one):
            yield "incoming/invisible-character", place, place + 1
    for match in _WORD.finditer(text):
        if not match[0].isascii() and any(one in _LOOK_ALIKE for one in match[0]) and any("a" <= one.lower() <= "z" for one in match[0]):
            yield "incoming/mixed-scripts", match.start(), match.end()


def _is_invisible(text: str, place: int, one: str) -> bool:
    """Control of direction, private use, tags, selectors in a row; not joiners that a script or emoji needs, nor a mark at the start."""
    if one.isascii():
        return False
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    if one in "\u200c\u200d":
        return len(around) < 2 or any(other.isascii() for other in around)
    if "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef":
        return any(unicodedata.category(other) == "Mn" for other in around) or one > "\ufe0f"
    return unicodedata.category(one) in ("Cf", "Co", "Cn", "Cs") and not (one == "\ufeff" and place == 0)


def _shape(text: str) -> Iterator[Hit]:
    """Lines that nobody writes, and the same again and again."""
    at = 0
    lines = text.split("\n")
    for line in lines:
        if len(line) > _LONGEST_LINE:
            yield "incoming/long-line", at, at + len(line)
        at += len(line) + 1
    if len(lines) > _REPEATS:
        most = Counter(line for line in lines if len(line.strip()) > 3).most_common(1)
        if most and most[0][1] > max(_REPEATS, _REPEATED_SHARE * len(lines)):
            yield "incoming/repetition", 0, len(text)
    if len(text) > _LONG and len(zlib.compress(text.encode("utf-8", "surrogatepass"))) < _PACKED * len(text):
        yield "incoming/repetition", 0, len(text)
