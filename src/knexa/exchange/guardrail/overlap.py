"""Near-verbatim private text: what a text and the agent's own data have in common, word for word, and public data have not.

Looked for, comments and whitespace aside in the first four:

- *verbatim*: ``length`` tokens in a row with a word in them that is somebody's: that few of the private texts have, no public one, and
  not Python;
- *verbatim* also: twice as many tokens in a row, whatever they are. Right answers to small problems are alike, and half of that is an
  idiom;
- *renamed*: twice as many tokens in a row that are equal but for names, each renamed to the same other name throughout;
- *whole*: a private text in full, if it has a sentence in it or is nearly all of the other text (:mod:`.wholes`);
- *phrase*: :data:`PHRASE` tokens in a row with two such words in them, from a comment or a string of a private program. A private text that
  is no program has no phrases: people of one trade write the same ones;
- *telling piece*: what is short and still somebody's (:mod:`.telling`).

The indexes grow with the private data, a number and a place for every run; equal numbers are compared token by token, so a match is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from knexa.exchange.guardrail.code_tokens import ORDINARY, Tokens, Vocabulary, renamed, without_comments
from knexa.exchange.guardrail.redaction import is_program
from knexa.exchange.guardrail.review import TOKEN
from knexa.exchange.guardrail.runs import Line, Runs, moving
from knexa.exchange.guardrail.secrets import Hit
from knexa.exchange.guardrail.telling import Pieces, telling
from knexa.exchange.guardrail.views import literals
from knexa.exchange.guardrail.wholes import SHORTEST, Wholes

#: A word with so many different neighbours in private texts is a word of the field and nobody's.
FEW = 3
#: Tokens of a phrase, and words in it that are somebody's.
PHRASE, PHRASE_WORDS = 6, 2
_REMARK = re.compile(r"#[^\n]*")
#: Letters or digits of a word that is somebody's, at least.
_SHORTEST = 4


class PrivateTexts:
    """The agent's own texts, as something to compare others with."""

    def __init__(self, private: Sequence[str], public: Sequence[str], length: int) -> None:
        """``length``: of a run, in tokens."""
        private = list(dict.fromkeys(private))
        self._words, self._shapes = Vocabulary(), Vocabulary()
        ours, everybodys = ([tuple(TOKEN.findall(without_comments(text))) for text in texts] for texts in (private, public))
        lines, public_lines = ([Line(self._words.learned(words)) for words in texts] for texts in (ours, everybodys))
        remarked, public_remarked = (
            [Line(self._words.learned(tuple(TOKEN.findall(text)))) for text in texts] for texts in (private, public)
        )
        rare = _rare(remarked, public_remarked, self._words)
        said = [Line(self._words.of(words)) for text in private for words in _sentences(text)]
        self._runs = Runs(length, lines, public_lines, lambda ids: moving(rare[ids], length) > 0)
        self._long = Runs(2 * length, lines, public_lines)
        self._phrases = Runs(PHRASE, said, public_remarked, lambda ids: moving(rare[ids], PHRASE) >= PHRASE_WORDS)
        self._wholes = Wholes(private, [line.ids for line in lines], [line.ids for line in public_lines])
        shapes, public_shapes = ([self._shape(words, learn=True) for words in texts] for texts in (ours, everybodys))
        self._renamed = Runs(2 * length, shapes, public_shapes)
        known = set(telling(public)) | {(token,) for text in public for token in TOKEN.findall(text)}
        self._pieces = Pieces(piece for piece in telling(private) if piece not in known)
        self._telling = self._pieces.firsts | {word for number, word in enumerate(self._words.words(), start=1) if rare[number]}

    def _shape(self, words: tuple[str, ...], *, learn: bool = False) -> Line:
        shape, ago = renamed(words)
        return Line(self._shapes.learned(shape) if learn else self._shapes.of(shape), ago)

    def find(self, text: str) -> Iterator[Hit]:
        """Everything, in ``text`` as it stands."""
        tokens = Tokens.of(text)
        count = len(tokens.texts)
        if count >= min(SHORTEST, self._runs.length):
            line = Line(self._words.of(tokens.texts))
            found = [("private/verbatim", *one) for runs in (self._runs, self._long) for one in runs.found_in(line)]
            found += [("private/whole", *one) for one in self._wholes.found_in(line.ids)]
            if count >= self._renamed.length and not found:
                found += [("private/renamed", *one) for one in self._renamed.found_in(self._shape(tokens.texts))]
            for rule, first, last in found:
                yield rule, tokens.starts[first], tokens.ends[last - 1]
        yield from self.find_pieces(text)

    def find_pieces(self, text: str) -> Iterator[Hit]:
        """Phrases and telling pieces alone: what is worth looking for in a decoded text, too. They count in comments as well."""
        if self._telling.isdisjoint(TOKEN.findall(text)):
            return
        tokens = Tokens.of(text, comments=True)
        for first, last in self._pieces.found_in(tokens.texts):
            yield "private/telling-piece", tokens.starts[first], tokens.ends[last - 1]
        for first, last in self._phrases.found_in(Line(self._words.of(tokens.texts))):
            yield "private/phrase", tokens.starts[first], tokens.ends[last - 1]


def _sentences(text: str) -> Iterator[tuple[str, ...]]:
    """What a program says in words: its strings and comments. Nothing of what is no program."""
    if ("=" not in text and "(" not in text) or not is_program(text):
        return
    said = [one for one, _, _ in literals(text)] + [match[0] for match in _REMARK.finditer(text)]
    yield from (words for words in (tuple(TOKEN.findall(one)) for one in said) if len(words) >= PHRASE)


def _rare(private: Sequence[Line], public: Sequence[Line], words: Vocabulary) -> npt.NDArray[np.bool_]:
    """Which words are somebody's, by number: [words]; the last, which stands for unknown ones, is not."""
    size = len(words) + 1
    all_ids = np.concatenate([np.zeros(1, np.int32), *(part for line in private for part in (line.ids, np.zeros(1, np.int32)))]).astype(
        np.int64
    )
    middle = all_ids[1:-1]
    different = np.unique(np.stack((middle, all_ids[:-2] * size + all_ids[2:])), axis=1)
    counts = np.bincount(different[0], minlength=size)
    rare = (counts > 0) & (counts < FEW)
    for line in public:
        rare[line.ids] = False
    for number, word in enumerate(words.words(), start=1):
        rare[number] &= _could_tell(word)
    return rare


def _could_tell(word: str) -> bool:
    return len(word) >= _SHORTEST and (word.isalpha() or word.isdigit()) and word.lower() not in ORDINARY
