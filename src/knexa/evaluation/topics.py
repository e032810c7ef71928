"""Categories for texts that name none: topics of the public transfer prompts, by spherical k-means on hashed word counts.

Everybody who holds the transfer set finds the same topics, so the 12 numbers of a profile mean the same to all, and private
texts have no part in them: a private text is only assigned to the nearest topic.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knexa.evaluation.problems import SLOTS

#: Words are counted in so many buckets; two words may share one.
BUCKETS = 1024
#: Passes of k-means at most.
PASSES = 50

Vectors = NDArray[np.float64]


class Topics:
    """``names``: "topic 01", "topic 02", …; at most :data:`SLOTS`, fewer where the texts do not have so many directions."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Raises ValueError for no texts."""
        if not texts:
            raise ValueError("topics of no texts are not defined")
        counts = _counts(texts)
        # A word that every text has says nothing of any: inverse document frequency, over the public texts only.
        self._weights = np.log((1.0 + len(texts)) / (1.0 + (counts > 0).sum(axis=0))) + 1e-3
        self._centres = _k_means(_directions(counts * self._weights), SLOTS)
        self.names = tuple(f"topic {number:02}" for number in range(1, len(self._centres) + 1))

    def of(self, texts: Sequence[str]) -> list[str]:
        """The name of the topic nearest to each of ``texts``; among equally near ones the first."""
        nearest = (_directions(_counts(texts) * self._weights) @ self._centres.T).argmax(axis=1)
        return [self.names[index] for index in nearest]


def _k_means(directions: Vectors, k: int) -> Vectors:
    """Centres [at most k, BUCKETS] of unit length, without a random start.

    The first begins at the text most like all, each further one at the text least like those before.
    """
    directions = directions[directions.any(axis=1)]
    if not len(directions):
        return np.zeros((1, BUCKETS))
    centres = directions[[int((directions @ directions.sum(axis=0)).argmax())]]
    while len(centres) < k:
        likeness = (directions @ centres.T).max(axis=1)
        if likeness.min() > 1.0 - 1e-9:
            break
        centres = np.vstack([centres, directions[int(likeness.argmin())]])
    for _ in range(PASSES):
        owner = (directions @ centres.T).argmax(axis=1)
        sums = np.array([directions[owner == index].sum(axis=0) for index in range(len(centres))])
        moved = np.where(sums.any(axis=1, keepdims=True), _directions(sums), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _counts(texts: Sequence[str]) -> Vectors:
    """Words of each text by bucket: [texts, BUCKETS]. Digits are left out: numbers differ where topics do not."""
    counts = np.zeros((len(texts), BUCKETS))
    for row, text in enumerate(texts):
        for word in re.findall(r"[^\W\d_]+", text.lower()):
            counts[row, int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big") % BUCKETS] += 1.0
    return counts


def _directions(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return directions
