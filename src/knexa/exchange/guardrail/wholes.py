"""Whole texts inside others: a private text is recognised in full, however ordinary each of its words is."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence

from knexa.exchange.guardrail.code_tokens import Ids
from knexa.exchange.guardrail.views import literals

#: Tokens of a text that is looked for, at least; of these, so many lead to it.
SHORTEST, _HEAD = 12, 8
#: Of the text it is found in, the share that a program without prose has to be: a short right answer is part of many a longer one.
SHARE = 0.9
#: Four words in a row, as in a sentence: somebody wrote it. In code, words of Python stand so, too.
_PROSE = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,}(?: [^\W\d_]{2,}){3}")
_KEYWORDS = frozenset(keyword.kwlist)


class Wholes:
    """Private texts that no public text contains."""

    def __init__(self, private: Sequence[str], lines: Sequence[Ids], public: Sequence[Ids]) -> None:
        """``lines``: of the texts of ``private``, numbers for their tokens; ``public`` likewise."""
        everybodys = [ids.tobytes() for ids in public]
        self._by_head: dict[bytes, list[tuple[bytes, bool]]] = {}
        width = _HEAD * lines[0].itemsize if lines else 0
        for text, ids in zip(private, lines, strict=True):
            content = ids.tobytes()
            if len(ids) >= SHORTEST and not any(content in one for one in everybodys):
                self._by_head.setdefault(content[:width], []).append((content, _has_prose(text)))

    def found_in(self, ids: Ids) -> Iterator[tuple[int, int]]:
        """First and last token, exclusive, of each."""
        if not self._by_head:
            return
        content, size = ids.tobytes(), ids.itemsize
        for place in range(len(ids) - SHORTEST + 1):
            for whole, has_prose in self._by_head.get(content[place * size : (place + _HEAD) * size], ()):
                if not content.startswith(whole, place * size):
                    continue
                if has_prose or len(whole) >= SHARE * len(content):
                    yield place, place + len(whole) // size


def _has_prose(text: str) -> bool:
    return any(_PROSE.search(one) for one, _, _ in literals(text)) or any(
        _KEYWORDS.isdisjoint(words[0].split(" ")) for words in _PROSE.finditer(text)
    )
