"""Canaries: texts that an organisation plants in its data, to notice them when they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from knexa.exchange.guardrail.secrets import Hit

_WORD = re.compile(r"[^\W_]+")
#: Words in a row that are noticed at least, however short a canary is: all of it if it has fewer.
_LEAST = 3


class Canaries:
    """Half of a canary's words in a row are enough. Case, punctuation and what stands between the words do not matter."""

    def __init__(self, canaries: Sequence[str]) -> None:
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for canary in canaries:
            words = tuple(_WORD.findall(canary.casefold()))
            length = min(len(words), max(_LEAST, (len(words) + 1) // 2))
            for place in range(len(words) - length + 1 if words else 0):
                run = words[place : place + length]
                self._by_first.setdefault(run[0], set()).add(run)

    def find(self, text: str) -> Iterator[Hit]:
        """Every planted run in ``text`` as it stands."""
        if not self._by_first:
            return
        low = text.casefold()
        words = _WORD.findall(low)
        if self._by_first.keys().isdisjoint(words):
            return
        # case folding may change lengths, so that places come from the text itself
        found = list(_WORD.finditer(text))
        words = [one[0].casefold() for one in found]
        for place, word in enumerate(words):
            for run in self._by_first.get(word, ()):
                if tuple(words[place : place + len(run)]) == run:
                    yield "canary/planted", found[place].start(), found[place + len(run) - 1].end()
