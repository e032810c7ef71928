"""Matchmakers with a timetable: who meets whom depends on the round alone, and nothing is learned."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from knexa.matching.matchmakers.pairwise import Decision, Options, PairwiseMatchmaker, certain
from knexa.matching.pairing import Pair


class ScheduledMatchmaker(PairwiseMatchmaker):
    """A pair of the timetable that may meet in the other direction only does so; one that may not meet at all stays apart."""

    @abstractmethod
    def timetable(self, count: int, round: int) -> list[Pair]:
        """(teacher, student) by positions in the sorted list of ``count`` agents, first come first served; ``round`` counts from 1."""

    def choose(self, options: Options) -> Decision:
        count = len(options.agents)
        scores = np.full((count, count), np.nan)
        for place, pair in enumerate(self.timetable(count, options.round)):
            scores[pair], scores[pair[::-1]] = -float(place), -place - 0.5
        valued = options.plain(scores)
        arms = self.arms(options, valued, "greedy")
        return Decision(valued, arms, certain(arms, valued.shape))


class FedSkdMatchmaker(ScheduledMatchmaker):
    """Round-robin over peers, no choice: everybody meets everybody (circle method), with roles swapped from one cycle to the next.

    After FedSKD (Weng et al. 2025), of which the aggregation-free round-robin is kept. Not kept: there whole models travel and are
    distilled both ways by similarities of features in batches, pixels and regions, which texts do not have; here the teacher writes
    texts, as with every other matchmaker.
    """

    def timetable(self, count: int, round: int) -> list[Pair]:
        """One seat stays, the others turn; with an odd number who meets the empty seat rests."""
        seats = count + count % 2
        cycle, turn = divmod(round - 1, seats - 1)
        met = [(seats - 1, turn)] + [((turn + step) % (seats - 1), (turn - step) % (seats - 1)) for step in range(1, seats // 2)]
        pairs = [_with_roles(*pair, swapped=cycle % 2 == 1) for pair in met if max(pair) < count]
        first = cycle % len(pairs)  # under a limit of pairs another one is left out in the next cycle
        return pairs[first:] + pairs[:first]


class GossipMatchmaker(ScheduledMatchmaker):
    """A ring: an agent meets its two neighbours in turn, and after both has the other role.

    The topology is that of decentralised learning on a ring (D-PSGD, Lian et al. 2017). Not kept: there neighbours
    average parameters, which agents with different backbones do not share; here the teacher writes texts.
    """

    def timetable(self, count: int, round: int) -> list[Pair]:
        """From the place ``round`` on, every two beside each other; with an odd number the last one rests."""
        ring = [((round + 2 * pair) % count, (round + 2 * pair + 1) % count) for pair in range(count // 2)]
        return [pair[::-1] for pair in ring] if round // 2 % 2 else ring


def _with_roles(one: int, other: int, *, swapped: bool) -> Pair:
    """Within a cycle everybody teaches half of the others, to within one: the lower teaches where the sum is odd."""
    low, high = min(one, other), max(one, other)
    return (low, high) if ((low + high) % 2 == 1) != swapped else (high, low)
