"""A text as others could read it: decoded, unsplit, turned. What a plain rule does not see in the text, it may see in a view of it.

A view is made only where the text has a piece that looks like the encoding, and only what decodes into readable text counts. Views of
views are made as well, :data:`DEEPEST` deep, until all of them together are :data:`LARGEST` characters or :data:`MOST` in number: a bomb
of encodings ends there, and its text is reported as one that nobody can read to the end.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from knexa.exchange.guardrail.encodings import ENCODINGS, decoded_escapes, decoded_whole, is_readable

DEEPEST = 4
#: Characters of one view; and of all views of one text beside so many times its own.
LARGEST, TIMES = 1 << 16, 24
#: Views of one text.
MOST = 400


@dataclass(frozen=True, slots=True)
class View:
    """``text``, read out of the characters from ``start`` to ``end`` of the original in the way that ``how`` names.

    ``turned``: nothing but the order or the letters changed, or pieces were put together that need not belong together. Numbers with right
    check digits come about so by accident; only what has words counts.
    """

    text: str
    start: int
    end: int
    how: str
    turned: bool = False


class TooManyViewsError(Exception):
    """A text has more views than anybody looks at."""


def views(text: str) -> Iterator[View]:
    """All views of ``text`` but itself. Raises TooManyViewsError after the last one that there is room for."""
    room, count = LARGEST + TIMES * len(text), 0
    seen = {text}
    waiting = deque([(View(text, 0, len(text), ""), 0)])
    while waiting:
        view, depth = waiting.popleft()
        for inner in _inside(view):
            if inner.text in seen:
                continue
            seen.add(inner.text)
            room, count = room - len(inner.text), count + 1
            if room < 0 or count > MOST:
                raise TooManyViewsError
            # a piece of the text itself keeps its place; a piece of what was decoded has that of all that was decoded
            start, end = (inner.start, inner.end) if depth == 0 else (view.start, view.end)
            how = f"{view.how}+{inner.how}" if view.how else inner.how
            one = View(inner.text, start, end, how, inner.turned or view.turned)
            yield one
            if depth + 1 < DEEPEST:
                waiting.append((one, depth + 1))


def _inside(view: View) -> Iterator[View]:
    text = view.text
    for encoding in ENCODINGS:
        if not encoding.is_possible(text):
            continue
        for match in encoding.form.finditer(text):
            found = encoding.decode(match[0])
            if found != match[0] and is_readable(found):
                yield View(found[:LARGEST], match.start(), match.end(), encoding.name)
    # what was only turned is turned no further, or views would be without number
    if view.turned:
        return
    yield from _literals(text)
    if not text.isascii():
        plain = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
        if plain != text:
            yield View(plain[:LARGEST], 0, len(text), "look-alike characters")
    yield View(text[::-1], 0, len(text), "reversed", turned=True)
    yield View(codecs.encode(text, "rot13"), 0, len(text), "rot13", turned=True)


_QUOTE = re.compile("['\"]")
#: What ends a literal on one line, or begins an escape in it.
_SPECIAL = {quote: re.compile(rf"[\\\n{quote}]") for quote in "'\""}
#: What stands between literals that are one expression: signs, brackets, the letters of an f-string or bytes.
_BETWEEN = re.compile(r"[\s+,\\()\[\]]*[rbfuRBFU]{0,2}")
#: What stands between characters that were separated; and pieces of so many characters at most, so often at least.
_SEPARATORS, _LONGEST_PIECE, _FEWEST = "-_.,:;|/*+~#^ ", 4, 6
#: A view of so few characters hides nothing.
_SHORTEST = 8


def literals(text: str) -> list[tuple[str, int, int]]:
    """String literals of a program: content as written, first and last character. Those of a text without quotes are none.

    In time linear in ``text``, however many quotes nothing closes.
    """
    found: list[tuple[str, int, int]] = []
    after = 0
    unclosed: dict[str, set[int]] = {"'": set(), '"': set()}
    for match in _QUOTE.finditer(text):
        start, quote = match.start(), match[0]
        if start < after:
            continue
        end = text.find(3 * quote, start + 3) if text.startswith(3 * quote, start) else -1
        if end >= 0:
            found.append((text[start + 3 : end], start + 3, end))
            after = end + 3
            continue
        end = _closing(text, start + 1, quote, unclosed[quote])
        if end >= 0:
            found.append((text[start + 1 : end], start + 1, end))
            after = end + 1
    return found


def _closing(text: str, at: int, quote: str, unclosed: set[int]) -> int:
    """Where ``quote`` closes on this line what begins at ``at``; -1 if nowhere.

    ``unclosed``: escapes after which none closes anything, as far as is known; those that are passed in vain are added.
    """
    passed = []
    while special := _SPECIAL[quote].search(text, at):
        place = special.start()
        if special[0] == quote:
            return place
        if special[0] == "\n" or place in unclosed:
            break
        passed.append(place)
        at = place + 2
    unclosed.update(passed)
    return -1


def _literals(text: str) -> Iterator[View]:
    """Literals that belong together, and then all of them, as one; and each unescaped, without separators, or decoded as a whole."""
    found = literals(text)
    groups = _groups(text, found)
    for group in groups:
        yield from _joined(group, turned=False)
    if len(groups) > 1:
        yield from _joined(found, turned=True)
    packed = "85decode" in text
    for one, start, end in found or [(text, 0, len(text))]:
        if len(one) < _SHORTEST:
            continue
        if "\\" in one and (plain := decoded_escapes(one)) != one and is_readable(plain):
            yield View(plain[:LARGEST], start, end, "escapes")
        if packed and (plain := decoded_whole(one)) and is_readable(plain):
            yield View(plain[:LARGEST], start, end, "base85")
        if ("'" in one and '"' in text) or '"' in one:
            yield View(one[:LARGEST], start, end, "quoted")
        yield from _separated(one, start, end)


def _groups(text: str, found: list[tuple[str, int, int]]) -> list[list[tuple[str, int, int]]]:
    groups: list[list[tuple[str, int, int]]] = []
    for literal in found:
        before = groups[-1][-1][2] if groups else 0
        # the quotes themselves stand between, up to three on each side
        between = text[before : literal[1]].strip("'\"")
        if groups and _BETWEEN.fullmatch(between):
            groups[-1].append(literal)
        else:
            groups.append([literal])
    return groups


def _joined(found: list[tuple[str, int, int]], *, turned: bool) -> Iterator[View]:
    pieces = [one for one, _, _ in found]
    size = sum(map(len, pieces))
    if len(pieces) < 2 or not _SHORTEST <= size <= LARGEST:
        return
    start, end = found[0][1], found[-1][2]
    yield View("".join(pieces), start, end, "split", turned)
    yield View("".join(reversed(pieces)), start, end, "split backwards", turned=True)


def _separated(one: str, start: int, end: int) -> Iterator[View]:
    """Without a sign that stands after every few characters."""
    for sign in _SEPARATORS:
        if one.count(sign) < _FEWEST:
            continue
        pieces = [piece for piece in one.split(sign) if piece]
        short = sum(len(piece) <= _LONGEST_PIECE for piece in pieces)
        if len(pieces) > _FEWEST and short >= 0.9 * len(pieces):
            yield View("".join(pieces)[:LARGEST], start, end, "separators", turned=True)
