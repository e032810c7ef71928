"""World (d): another world in which some agents teach badly, or lie about what they learned.

Poor teachers look as good as before, in their profiles, and their students lose by them: each exchange with one is worth
:data:`HARM` times the mean worth of an exchange, less than nothing. Liars report the opposite of the truth, as far as a claim goes:
the largest reward that is not clipped after a bad exchange, the smallest after a good one. Truth and welfare are always those of the
world itself, liars' gains included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from knexa.matching import Profile
from knexa.matching.pairing import Pair
from knexa.study.worlds.world import Array, World, world_stream

#: What a poor teacher does to its student, in units of the mean worth of the world's first round.
HARM = -1.0
#: The largest claim that clipping lets through (``reward.clip``).
LARGEST_CLAIM = 1.0


class Altered(World):
    """Passes everything through to ``world``; a subclass changes one thing. ``chosen`` [n]: the agents it concerns."""

    def __init__(self, world: World, share: float, seed: int) -> None:
        self.world, self.names = world, world.names
        self.noise, self.limit, self.describe = world.noise, world.limit, world.describe
        agents = len(self.names)
        self.chosen: NDArray[np.bool_] = np.zeros(agents, dtype=bool)
        self.chosen[world_stream(seed, type(self).__name__).permutation(agents)[: round(share * agents)]] = True

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return self.world.profiles(round)

    def worth(self) -> Array:
        return self.world.worth()

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> Sequence[float] | None:
        return self.world.exchange(pairs, round, curricula)

    def welfare(self) -> float | None:
        return self.world.welfare()

    def reported(self, pair: Pair, reward: float, round: int) -> float:
        return self.world.reported(pair, reward, round)

    def kept(self, pair: Pair) -> float:
        return self.world.kept(pair)

    def difference(self) -> Array:
        return self.world.difference()


class PoorTeachers(Altered):
    """A share of the agents harm whom they teach. Only for worlds whose worth is fixed, since it is all that is altered."""

    def __init__(self, world: World, share: float, seed: int) -> None:
        super().__init__(world, share, seed)
        if world.welfare() is not None:
            raise ValueError(f"{type(world).__name__} changes with what is taught; poor teachers need a world of fixed worth")
        worth = world.worth()
        self._harm = HARM * float(worth[~np.eye(len(worth), dtype=bool)].mean())

    def worth(self) -> Array:
        return np.where(self.chosen[:, None], self._harm, self.world.worth())


class Liars(Altered):
    """A share of the agents report the opposite of what they earned, relative to the mean worth of the world's first round."""

    def __init__(self, world: World, share: float, seed: int) -> None:
        super().__init__(world, share, seed)
        worth = world.worth()
        self._usual = float(worth[~np.eye(len(worth), dtype=bool)].mean())

    def reported(self, pair: Pair, reward: float, round: int) -> float:
        honest = self.world.reported(pair, reward, round)
        return honest if not self.chosen[pair[1]] else -np.sign(honest - self._usual) * LARGEST_CLAIM
