"""Next-token distributions of models with different tokenizers, brought to one of them: what Central-KD averages.

The common ground is the text itself. A model *tells* of a text, at each of its own tokens, where the token lies (characters of the
text) and which strings it found likely there. For a student with another tokenizer this is mapped as follows.

- *Places.* A student's token that begins at character c hears the models that have a token beginning at c; others are silent there.
- *The text's own token.* Its probability is that with which the model goes on as the text does, up to the end of the student's token: a
  product over the model's tokens (chain rule), so the same text cut in other pieces is the same text. Where the last of them reaches
  further, all that begin alike count.
- *Alternatives.* A string is encoded by the student's tokenizer, and its mass goes to the first token. That is exact where the student
  has the string as one token, and otherwise right about how the text would go on, not about how far the token reaches.
- The end of the text is the end of the text in every vocabulary.

Limits: only the k most likely tokens are told, without those below :data:`LEAST`; strings that are no whole characters (a byte of a
longer one) are dropped, and a student's token inside a character hears nobody; tokenizers that put a space before every text they
encode find other first tokens for some strings. What is left after that is renormalised by the student (``taught_loss``).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

import torch

from knexa.errors import ModelError
from knexa.learning.encoding import Example, SoftTarget

#: Probabilities below this are not told.
LEAST = 1e-3
#: Log-probability that pads a list of likely tokens: no share in any sum, and finite.
NOTHING = -100.0

#: Stands for the end of the text among likely strings.
END = None

_REPLACED = "�"


@dataclass(frozen=True, slots=True)
class Told:
    """What a model tells of one text at each of its tokens, the end-of-text token last.

    ``starts``, ``ends``: characters of the text. ``likely``: strings (:data:`END`: it ends here) and their probabilities, best first.
    ``own``: its probability of the token that stands there, 0 where that is not among the likely.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    own: tuple[float, ...]
    likely: tuple[tuple[tuple[str | None, float], ...], ...]


class Vocabulary:
    """A tokenizer, seen from strings. Raises ModelError if it cannot tell where its tokens lie."""

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise ModelError(f"tokenizer '{tokenizer.name_or_path}' does not say where its tokens lie in a text; use its fast version")
        self._tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)
        self._anchor = tokenizer("a", add_special_tokens=False)["input_ids"]
        self._anchored = len(tokenizer.decode(self._anchor))
        self.string = cache(self._string)
        self.first = cache(self._first)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each token of ``text``, and of its end."""
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return [*((int(start), int(end)) for start, end in found), (len(text), len(text))]

    def _string(self, token: int) -> str | None:
        """What ``token`` adds to a text; :data:`END` for the end, "" for what adds nothing that can be told."""
        if token == self.end:
            return END
        if token in self._tokenizer.all_special_ids:
            return ""
        added: str = self._tokenizer.decode([*self._anchor, token], clean_up_tokenization_spaces=False)[self._anchored :]
        return "" if _REPLACED in added else added

    def _first(self, string: str | None) -> int | None:
        """The token with which ``string`` begins; None where this tokenizer makes nothing of it."""
        if string is END:
            return self.end
        tokens = self._tokenizer(string, add_special_tokens=False)["input_ids"]
        return int(tokens[0]) if tokens else None


def tell(vocabulary: Vocabulary, text: str, example: Example, target: SoftTarget) -> Told:
    """``target`` (of :func:`~knexa.learning.soft_targets.soft_targets`) for ``example``, the encoded ``text``, in strings."""
    places = vocabulary.places(text)[: len(target.ids)]
    tokens = example.ids[example.prompt :]
    own, likely = [], []
    for token, ids, logs in zip(tokens, target.ids.tolist(), target.log.float().exp().tolist(), strict=True):
        own.append(round(dict(zip(ids, logs, strict=True)).get(token, 0.0), 4))
        strings = ((vocabulary.string(one), round(p, 4)) for one, p in zip(ids, logs, strict=True) if p >= LEAST)
        likely.append(tuple((string, p) for string, p in strings if string != ""))
    starts, ends = zip(*places, strict=True) if places else ((), ())
    return Told(starts, ends, tuple(own), tuple(likely))


def blend(vocabulary: Vocabulary, text: str, example: Example, told: Sequence[Told], k: int) -> SoftTarget:
    """The mean of what several models tell of ``text``, for the model that encodes it as ``example``: its ``k`` most likely tokens.

    A token of which nobody says anything keeps itself as its only likely one, which is plain cross-entropy.
    """
    ids, logs, before = [], [], 0
    for token, place in zip(example.ids[example.prompt :], vocabulary.places(text), strict=False):
        mean: defaultdict[int, float] = defaultdict(float)
        if place[0] >= before:  # else it begins inside a character
            heard = [masses for one in told if (masses := _masses(vocabulary, text, one, token, place))]
            for other, mass in (item for masses in heard for item in masses.items()):
                mean[other] += mass / len(heard)
        before = place[1]
        best = sorted(mean.items(), key=lambda item: (-item[1], item[0]))[:k] or [(token, 1.0)]
        filled = best + [(token, 0.0)] * (k - len(best))
        ids.append([other for other, _ in filled])
        logs.append([math.log(mass) if mass > 0 else NOTHING for _, mass in filled])
    shape = (len(ids), k)
    return SoftTarget(torch.tensor(ids, dtype=torch.int32).view(shape), torch.tensor(logs, dtype=torch.float16).view(shape))


def pack_told(told: Sequence[Told]) -> bytes:
    """JSON, in the order of ``told``: what a model sends to the server."""
    return json.dumps([astuple(one) for one in told], separators=(",", ":"), ensure_ascii=False).encode()


def unpack_told(blob: bytes) -> list[Told]:
    """What :func:`pack_told` packed."""
    return [
        Told(tuple(starts), tuple(ends), tuple(own), tuple(tuple((string, p) for string, p in some) for some in likely))
        for starts, ends, own, likely in json.loads(blob)
    ]


def _masses(vocabulary: Vocabulary, text: str, told: Told, token: int, place: tuple[int, int]) -> dict[int, float]:
    """What one model gives to the student's tokens at ``place``, where ``token`` stands; nothing where it is silent."""
    start, end = place
    if start not in told.starts:
        return {}
    at = told.starts.index(start)
    exact = _continues(text, told, at, end)
    standing = text[start : told.ends[at]] or END
    masses: defaultdict[int, float] = defaultdict(float)
    for string, p in told.likely[at]:
        known = min(exact, p) if string == standing else 0.0
        if known > 0:
            masses[token] += known
        if p > known and (first := vocabulary.first(string)) is not None:
            masses[first] += p - known
    return dict(masses)


def _continues(text: str, told: Told, at: int, end: int) -> float:
    """Probability, from the token at ``at`` on, that the text goes on to the character ``end`` as it does.

    Of the token there that reaches beyond ``end``, whatever begins as the text does up to ``end`` counts.
    """
    if told.ends[at] > end:
        return told.own[at]
    probability, last = told.own[at], at + 1
    while last < len(told.starts) and told.starts[last] < end:
        rest = text[told.starts[last] : end]
        whole = told.ends[last] <= end
        probability *= told.own[last] if whole else sum(p for string, p in told.likely[last] if string and string.startswith(rest))
        last += 1
    return probability
