"""Runs of tokens of many texts, to be found again: hashed, sorted, and compared token by token where hashes are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knexa.exchange.guardrail.code_tokens import Ids

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
#: An odd number with bits all over (2^64 by the golden ratio) and its inverse, for polynomials.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)


@dataclass(frozen=True, slots=True)
class Line:
    """One text as an index sees it. ``ids``: a number for each token. ``ago``: how far the same name is back, if names do not matter."""

    ids: Ids
    ago: Ids | None = None

    def run(self, place: int, length: int) -> tuple[Ids, Ids | None]:
        """``length`` tokens from ``place`` on; a name that was last seen before is new to the run."""
        part = slice(place, place + length)
        if self.ago is None:
            return self.ids[part], None
        ago = self.ago[part]
        return self.ids[part], np.where(ago <= np.arange(len(ago)), ago, 0)


class Runs:
    """Runs of ``length`` tokens of private texts, without those that a public text has.

    ``wanted``: whether a run counts, from a text's tokens for every place: [tokens] to [runs].
    """

    def __init__(
        self,
        length: int,
        private: Sequence[Line],
        public: Sequence[Line],
        wanted: Callable[[Ids], npt.NDArray[np.bool_]] | None = None,
    ) -> None:
        self.length, self._wanted, self._texts = length, wanted, private
        self._powers, self._inverses = _series(_BASE, 0), _series(_INVERSE, 0)
        shapes, hashes, texts, places = self._all(private)
        known = np.unique(self._all(public)[1])
        first = np.unique(hashes, return_index=True)[1]
        first = first[~np.isin(hashes[first], known)]
        self._hashes, self._text, self._place = hashes[first], texts[first], places[first]
        self._shapes = np.unique(shapes[first])

    def __bool__(self) -> bool:
        """Whether there are any."""
        return len(self._hashes) > 0

    def _shape_hashes(self, line: Line) -> Hashes:
        """Of the tokens alone: [runs]."""
        count = len(line.ids)
        if count < self.length:
            return np.empty(0, dtype=np.uint64)
        if count > len(self._powers):
            self._powers, self._inverses = _series(_BASE, count), _series(_INVERSE, count)
        sums = np.zeros(count + 1, dtype=np.uint64)
        np.cumsum(_mixed(line.ids) * self._powers[:count], out=sums[1:])
        runs = count - self.length + 1
        return np.asarray((sums[self.length :] - sums[:runs]) * self._inverses[:runs])

    def _named_hashes(self, line: Line, shapes: Hashes, places: Numbers) -> Hashes:
        """With the distances between equal names, of the runs that begin at ``places``."""
        if line.ago is None or not len(places):
            return shapes
        ago = line.ago[places[:, None] + np.arange(self.length)]
        ago = np.where(ago <= np.arange(self.length), ago, 0)
        weights = _mixed(np.arange(self.length, dtype=np.int32) + 77)
        return np.asarray(shapes + (ago.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64) * np.uint64(_BASE))

    def _all(self, texts: Sequence[Line]) -> tuple[Hashes, Hashes, Ids, Ids]:
        rows: list[tuple[Hashes, Hashes, Ids, Ids]] = [(np.empty(0, np.uint64),) * 2 + (np.empty(0, np.int32),) * 2]
        for number, line in enumerate(texts):
            shapes = self._shape_hashes(line)
            places = np.arange(len(shapes))
            if self._wanted is not None and len(shapes):
                places = np.flatnonzero(self._wanted(line.ids)[: len(shapes)])
                shapes = shapes[places]
            if len(shapes):
                hashes = self._named_hashes(line, shapes, places)
                rows.append((shapes, hashes, np.full(len(shapes), number, dtype=np.int32), places.astype(np.int32)))
        shapes, hashes, numbers, starts = (np.concatenate(column) for column in zip(*rows, strict=True))
        return shapes, hashes, numbers, starts

    def found_in(self, line: Line) -> Iterator[tuple[int, int]]:
        """First and last token, exclusive, of every stretch of ``line`` that is runs of private texts."""
        shapes = self._shape_hashes(line)
        if not len(shapes) or not self:
            return
        if line.ago is None:
            places, hashes = np.arange(len(shapes)), shapes
        else:
            places = np.flatnonzero(_among(self._shapes, shapes) >= 0)
            hashes = self._named_hashes(line, shapes[places], places)
        at = _among(self._hashes, hashes)
        begin = end = -1
        for which in np.flatnonzero(at >= 0):
            place = int(places[which])
            if not self._is_same(line, place, int(at[which])):
                continue
            if place > end:
                if end > 0:
                    yield begin, end
                begin = place
            end = place + self.length
        if end > 0:
            yield begin, end

    def _is_same(self, line: Line, place: int, where: int) -> bool:
        ids, ago = line.run(place, self.length)
        theirs, their_ago = self._texts[self._text[where]].run(int(self._place[where]), self.length)
        return np.array_equal(ids, theirs) and (ago is None or their_ago is None or np.array_equal(ago, their_ago))


def moving(values: npt.NDArray[np.bool_], length: int) -> Numbers:
    """How many of ``length`` values in a row are true, for every place where so many begin: [values - length + 1]."""
    sums = np.concatenate(([0], np.cumsum(values)))
    return np.asarray(sums[length:] - sums[:-length])


def _among(known: Hashes, hashes: Hashes) -> Numbers:
    """Where in the sorted ``known`` each of ``hashes`` is; -1 where it is not."""
    if not len(known):
        return np.full(len(hashes), -1)
    at = np.searchsorted(known, hashes)
    at[at == len(known)] = 0
    return np.where(known[at] == hashes, at, -1)


def _mixed(ids: Ids) -> Hashes:
    mixed = (ids.astype(np.int64) + 1).astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return mixed * np.uint64(0xD6E8FEB86659FD93)


def _series(base: int, length: int) -> Hashes:
    """Powers of ``base``, from the first on."""
    powers = np.full(max(length, 1024), base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)
