"""Agreement among texts that nobody can test: the one that is most like the others is the likeliest to be right.

The measure is the F1 of words that SQuAD scores answers by (Rajpurkar et al. 2016): harmonic mean of the shares of its words that each text
has in common with the other, repetitions counted, order not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def word_f1(one: str, other: str) -> float:
    """In [0, 1], symmetric; words are what whitespace separates. 1 for two texts without words."""
    words, others = Counter(one.split()), Counter(other.split())
    if not words or not others:
        return float(words == others)
    return 2.0 * (words & others).total() / (words.total() + others.total())


def most_agreed(texts: Sequence[str]) -> int:
    """Position of the text with the highest mean :func:`word_f1` with the others; of equals, which two texts always are, the last.

    ``texts`` are at least one.
    """
    sums = [sum(word_f1(text, other) for at, other in enumerate(texts) if at != own) for own, text in enumerate(texts)]
    return max(range(len(texts)), key=lambda own: (sums[own], own))
