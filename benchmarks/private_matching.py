"""What is left of the choice of pairs when profiles are private?

    python benchmarks/private_matching.py [--seeds 0-9] [--agents 32] [--rounds 50]

Synthetic federations of world `compatibility`, in which who fits whom is told by the histogram of an agent's data and by its Pass@1 (its
strength). Both are released as `privacy.epsilon` releases them: the histogram of 100 texts once, Pass@1 on 16 held-out texts every ten
rounds, epsilon divided as by default. Figure: share of the headroom between random pairs and the oracle that bandits on gaps and on joint
profiles win, mean and 95 % interval over seeds; 1 is the oracle. Appends a row for each method and epsilon.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from dataclasses import replace

from knexa.cli.compare import seed_range
from knexa.config import load_config
from knexa.matching import Profile
from knexa.matching.profile import METRICS
from knexa.participant.private_profile import budgets, released_now
from knexa.privacy import noisy_counts, noisy_sum
from knexa.randomness import derive_seed
from knexa.study.gains import share_of_headroom
from knexa.study.methods import METHODS
from knexa.study.trajectory import simulate
from knexa.study.worlds.adversaries import Altered
from knexa.study.worlds.compatibility import CompatibilityWorld
from rows import append, row

TEXTS, HELD_OUT = 100, 16


class PrivateProfiles(Altered):
    """The same world, whose agents tell what they may for ``epsilon``."""

    def __init__(self, world: CompatibilityWorld, epsilon: float, rounds: int, seed: int) -> None:
        super().__init__(world, 0.0, seed)
        self._config = load_config(
            None, rounds=rounds, sets=[f"privacy.epsilon={epsilon}", "distillation.rollback=none", "reward.measure=probe"]
        )
        self._seed = seed
        self._told: dict[str, Profile] = {}

    def profiles(self, round: int) -> Mapping[str, Profile]:
        if not self._told or released_now(self._config.privacy, round):
            self._told = {name: self._release(one, round) for name, one in self.world.profiles(round).items()}
        return {name: replace(one, round=round) for name, one in self._told.items()}

    def _release(self, true: Profile, round: int) -> Profile:
        first, each = budgets(self._config)
        once = random.Random(derive_seed(self._seed, true.agent, "histogram"))
        histogram = noisy_counts([int(TEXTS * share + 0.5) for share in true.histogram], first, once)
        right = int(HELD_OUT * true.metric("pass@1") + 0.5)
        rng = random.Random(derive_seed(self._seed, true.agent, round))
        passed = noisy_sum([1] * right, 1, each, rng) / HELD_OUT
        metrics = [min(max(passed, 0.0), 1.0) if name == "pass@1" else value for name, value in zip(METRICS, true.metrics, strict=True)]
        return replace(true, histogram=tuple(histogram), metrics=tuple(metrics))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--agents", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=50)
    wanted = parser.parse_args()
    seeds = seed_range(wanted.seeds)

    def score(method: str, epsilon: float | None, seed: int) -> float:
        world = CompatibilityWorld(wanted.agents, "high", seed)
        told = world if epsilon is None else PrivateProfiles(world, epsilon, wanted.rounds, seed)
        return simulate(told, METHODS[method](told, wanted.rounds, seed), wanted.rounds, seed).score

    floors, ceilings = ([score(method, None, seed) for seed in seeds] for method in ("random", "oracle"))
    for method in ("gap", "joint"):
        for epsilon in (None, 16.0, 4.0, 1.0):
            share = share_of_headroom([score(method, epsilon, seed) for seed in seeds], floors, ceilings)
            print(f"{method:6} epsilon {epsilon}: {share.mean:.2f} ({share.low:.2f} to {share.high:.2f}) of the headroom", flush=True)
            figures = {"method": method, "epsilon": epsilon, "share": share.mean, "low": share.low, "high": share.high}
            append(row("private_matching", agents=wanted.agents, rounds=wanted.rounds, seeds=wanted.seeds, **figures))


if __name__ == "__main__":
    main()
