"""A matchmaker in a synthetic world: the real matchmaker, made-up exchanges, and what came of every round.

Each round: the world's agents report, the matchmaker chooses, every pair earns its worth plus noise, students report (a liar
something else), the matchmaker learns, and the world changes. Measured is always the truth, never a report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knexa.matching import Match, Outcome, disjoint_pairs
from knexa.matching.matchmakers.pairwise import PairwiseMatchmaker
from knexa.matching.pairing import Pair
from knexa.randomness import stream
from knexa.study.worlds.world import World

Array = NDArray[np.float64]

#: Loss before every exchange, in nats; a report moves the loss after it.
LOSS_BEFORE = 10.0
#: Texts in every package: shares of them are told to a hundredth.
TEXTS = 100


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One entry a round, all [rounds]: ``worth`` of the chosen pairs (sum of expectations); ``best``: of the pairs a noiseless
    oracle would have chosen in the same state; ``difference``: mean √JS of the chosen; ``welfare``: NaN where the world has none.

    ``taught`` [n]: how often each agent taught. ``seconds``: the matchmaker's own time for all its decisions.
    """

    worth: Array
    best: Array
    difference: Array
    welfare: Array
    taught: NDArray[np.int64]
    seconds: float

    @property
    def score(self) -> float:
        """What a method is judged by: mean welfare over the rounds, or the mean worth of a round where there is no welfare."""
        return float(np.mean(self.worth if np.isnan(self.welfare).all() else self.welfare))

    @property
    def running_score(self) -> Array:
        """:attr:`score` of the rounds so far, [rounds]."""
        earned = self.worth if np.isnan(self.welfare).all() else self.welfare
        means: Array = np.cumsum(earned) / np.arange(1, len(earned) + 1)
        return means

    @property
    def regret(self) -> Array:
        """Cumulative regret [rounds] against the noiseless oracle in the states that the run was in."""
        return np.cumsum(self.best - self.worth)

    def regret_exponent(self) -> float:
        """p of regret ~ t^p, by least squares on logarithms over the second half of the rounds; NaN if there is none to speak of."""
        regret = self.regret
        start = len(regret) // 2
        t = np.arange(start + 1, len(regret) + 1)
        if len(t) < 2 or regret[start] <= 0:
            return float("nan")
        return float(np.polyfit(np.log(t), np.log(np.maximum(regret[start:], 1e-12)), 1)[0])


def simulate(world: World, matchmaker: PairwiseMatchmaker, rounds: int, seed: int) -> Trajectory:
    """Run ``rounds`` rounds; ``seed`` names the noise."""
    worth, best, difference, welfare = (np.full(rounds, np.nan) for _ in range(4))
    taught = np.zeros(len(world.names), dtype=np.int64)
    place = {name: position for position, name in enumerate(world.names)}
    apart, seconds = world.difference(), 0.0
    valued, most = np.empty(0), 0.0
    for index in range(rounds):
        truth, profiles = world.worth(), world.profiles(index + 1)
        if truth is not valued:  # a world of fixed worth gives the same array again, and its best is the same
            valued, most = truth, oracle_total(truth, world.limit)
        began = time.perf_counter()
        matches = matchmaker.match(profiles, index + 1)
        seconds += time.perf_counter() - began
        pairs = [(place[match.teacher], place[match.student]) for match in matches]
        worth[index] = sum(float(truth[pair]) for pair in pairs)
        best[index] = most
        difference[index] = np.mean([apart[pair] for pair in pairs]) if pairs else np.nan
        for teacher, _ in pairs:
            taught[teacher] += 1
        shares = [world.kept(pair) for pair in pairs]
        came = world.exchange(pairs, index + 1, [match.curriculum for match in matches])
        earned = [float(truth[pair]) for pair in pairs] if came is None else came
        outcomes = _outcomes(world, matches, pairs, _noisy(world, pairs, earned, index + 1, seed), shares, index + 1)
        began = time.perf_counter()
        for outcome in outcomes:
            matchmaker.learn(outcome)
        seconds += time.perf_counter() - began
        standing = world.welfare()
        welfare[index] = np.nan if standing is None else standing
    return Trajectory(worth, best, difference, welfare, taught, seconds)


def oracle_total(truth: Array, limit: int | None) -> float:
    """The most that one round can be worth."""
    return sum(float(truth[pair]) for pair in disjoint_pairs(truth, limit, "optimal"))


def _noisy(world: World, pairs: Sequence[Pair], earned: Sequence[float], round: int, seed: int) -> list[float]:
    """The noise of a pair depends on seed, round and pair alone."""
    noise = stream(seed, "noise", round).normal(0.0, world.noise, (len(world.names),) * 2)
    return [one + float(noise[pair]) for pair, one in zip(pairs, earned, strict=True)]


def _outcomes(
    world: World, matches: Sequence[Match], pairs: Sequence[Pair], rewards: Sequence[float], shares: Sequence[float], round: int
) -> list[Outcome]:
    """What the students report; ``shares`` of the texts were kept."""
    return [
        _outcome(match, world.reported(pair, reward, round), kept)
        for match, pair, reward, kept in zip(matches, pairs, rewards, shares, strict=True)
    ]


def _outcome(match: Match, reward: float, kept: float) -> Outcome:
    after = LOSS_BEFORE - reward
    return Outcome(
        match_id=match.match_id,
        loss_before=LOSS_BEFORE,
        loss_after=after,
        probe_loss_before=LOSS_BEFORE,
        probe_loss_after=after,
        score_before=0.0,
        score_after=0.0,
        bytes=0,
        texts=TEXTS,
        kept=int(TEXTS * kept + 0.5),
        accepted=True,
    )
