"""The two n-gram scores of CodeBLEU, on words: BLEU-4, and a recall in which the language's keywords weigh five times as much.

BLEU is Papineni et al. 2002 with smoothing method 1 of Chen and Cherry 2014: n-grams of a length without a match count as 0.1 matches.
"""

from __future__ import annotations

import keyword
import math
from collections import Counter
from collections.abc import Sequence

LENGTHS = (1, 2, 3, 4)
SMOOTHING = 0.1
KEYWORDS = frozenset(keyword.kwlist) | {"match", "case", "type"}
KEYWORD_WEIGHT, WORD_WEIGHT = 1.0, 0.2

Ngrams = Counter[tuple[str, ...]]


def ngrams(words: Sequence[str]) -> tuple[Ngrams, ...]:
    """How often each n-gram stands in ``words``, for every length."""
    return tuple(Counter(zip(*(words[skip:] for skip in range(n)), strict=False)) for n in LENGTHS)


def bleu(reference: Sequence[Ngrams], candidate: Sequence[Ngrams]) -> float:
    """Share of the candidate's n-grams that the reference has, geometric mean over lengths, times the brevity penalty: in [0, 1]."""
    matches = [(wanted & found).total() for wanted, found in zip(reference, candidate, strict=True)]
    return _mean_share(matches, [found.total() for found in candidate]) * _brevity(reference[0].total(), candidate)


def weighted_recall(reference: Sequence[Ngrams], candidate: Sequence[Ngrams]) -> float:
    """Share of the *reference's* n-grams that the candidate has, single words by their weight; mean and penalty as above.

    The penalty takes every reference for two words long, as the package does, so it concerns candidates of one word only.
    """
    common = [wanted & found for wanted, found in zip(reference, candidate, strict=True)]
    matches = [_weight(common[0]), *(some.total() for some in common[1:])]
    totals = [_weight(reference[0]), *(some.total() for some in reference[1:])]
    return _mean_share(matches, totals) * _brevity(2, candidate)


def _weight(words: Ngrams) -> float:
    return sum(count * (KEYWORD_WEIGHT if word in KEYWORDS else WORD_WEIGHT) for (word,), count in words.items())


def _mean_share(matches: Sequence[float], totals: Sequence[float]) -> float:
    """Geometric mean of matches / totals, smoothed; 0 where not one word matches. A total below 1 counts as 1."""
    if matches[0] == 0:
        return 0.0
    logs = [math.log((match or SMOOTHING) / max(1, total)) for match, total in zip(matches, totals, strict=True)]
    return math.exp(math.fsum(logs) / len(LENGTHS))


def _brevity(length: int, candidate: Sequence[Ngrams]) -> float:
    """Penalty for a candidate of fewer words than ``length``."""
    found = candidate[0].total()
    return 1.0 if found >= length else math.exp(1 - length / max(1, found))
