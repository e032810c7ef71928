"""Telling pieces of private texts: what is short and still somebody's, such as a code, a long number, a string with digits in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from knexa.exchange.guardrail.review import TOKEN
from knexa.exchange.guardrail.secret_values import is_sequence
from knexa.exchange.guardrail.views import literals

#: Characters that a telling string has at least, and digits that a telling number has.
_SHORTEST_STRING, _SHORTEST_NUMBER = 8, 6
#: Tokens of a string that is told by one piece of it; a longer one is a text and has runs.
_LONGEST_PIECE = 12


class Pieces:
    """Short sequences of tokens, found wherever they stand."""

    def __init__(self, pieces: Iterable[tuple[str, ...]]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for piece in sorted(set(pieces), key=len, reverse=True):
            self._by_first.setdefault(piece[0], []).append(piece)

    @property
    def firsts(self) -> frozenset[str]:
        """One of these is in every text with a piece."""
        return frozenset(self._by_first)

    def found_in(self, tokens: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for place, token in enumerate(tokens):
            for piece in self._by_first.get(token, ()):
                if tokens[place : place + len(piece)] == piece:
                    yield place, place + len(piece)
                    break


def telling(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Strings, words and numbers that tell whose they are."""
    for text in texts:
        for content, _, _ in literals(text):
            tokens = tuple(TOKEN.findall(content))
            if len(content) >= _SHORTEST_STRING and 0 < len(tokens) <= _LONGEST_PIECE and _is_telling(content):
                yield tokens
        yield from ((word,) for word in TOKEN.findall(text) if _is_telling_word(word))
        yield from (tuple(TOKEN.findall(one)) for one in _HYPHENATED.findall(text) if _is_telling(one))


#: Words and numbers tied together, as codes and names of files are: knexa-48213, 12.345.678.
_HYPHENATED = re.compile(r"(?<![\w-])\w{2,}(?:[-.:/]\w{2,}){1,6}(?![\w-])")


def _is_telling(content: str) -> bool:
    """A string with digits and letters, neither a pattern nor a piece of an alphabet."""
    digits, letters = sum(one.isdigit() for one in content), sum(one.isalpha() for one in content)
    return digits >= 3 and letters >= 3 and not is_sequence(content) and "%" not in content and "{" not in content


def _is_telling_word(word: str) -> bool:
    if word.isdigit():
        return len(word) >= _SHORTEST_NUMBER and len(set(word)) >= 4 and not is_sequence(word) and int(word) not in _CONSTANTS
    digits, letters = sum(one.isdigit() for one in word), sum(one.isalpha() for one in word)
    return len(word) >= _SHORTEST_STRING and digits >= 3 and letters >= 3 and not is_sequence(word)


#: Long numbers that programs share: powers, primes of exercises, famous constants to some digits.
_CONSTANTS = frozenset(
    {2**power + shift for power in range(16, 129) for shift in (-1, 0, 1)}
    | {10**power + shift for power in range(5, 31) for shift in (-1, 0, 1, 7, 9)}
    | {998244353, 1000003, 1000000007, 1000000009, 3141592, 31415926, 314159265, 271828, 2718281, 27182818, 1103515245, 6364136223846793005}
    | {24 * 3600 * 1000, 604800, 31536000, 31557600, 299792458, 16777619, 2166136261, 14695981039346656037, 1099511628211}
    | {40320, 362880, 3628800, 39916800, 479001600}
)
