"""Would a learned curriculum, or looking more than one round ahead, help?

    python benchmarks/foresight.py [--seeds 8]

Two upper bounds in the teaching world (``knexa.study.worlds.teaching``, verified), for either idea given what no matchmaker can know:

- *weights*: the curriculum is value(c) = able^a (1 - able_r)^b (1 - coverage_r)^d with a = b = d = 1. Whatever a bandit might learn of
  it, it cannot beat the best exponents of a grid chosen in hindsight, on the very seeds that are counted. Random pairs.
- *foresight*: pairs by the true gain of the student plus ``ahead`` times what others could learn from it next (the true gain of each
  category, times how much the mean agent lacks there); ``ahead`` = 0 is the myopic oracle. The best ``ahead`` in hindsight bounds it.

Counted: mean competence at the end, paired by seed with the default. Appends one row a setting to results/.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from knexa.config import MatchingConfig
from knexa.matching import Match, Profile
from knexa.matching.curriculum import able
from knexa.matching.matchmakers.baselines import OracleMatchmaker, RandomMatchmaker
from knexa.matching.matchmakers.pairwise import PairwiseMatchmaker
from knexa.study.methods import REWARD
from knexa.study.statistics import paired_interval
from knexa.study.trajectory import simulate
from knexa.study.worlds.teaching import GROWTH, PROMPTS, RIGHT, TeachingWorld
from rows import append, row

EXPONENTS = (0.0, 0.5, 1.0, 2.0)
AHEAD = (0.0, 0.5, 1.0, 2.0, 4.0)
SETTINGS = tuple(product((6, 24), (5, 20), (16, 128)))


class Weighted(RandomMatchmaker):
    """Random pairs, and a curriculum with exponents (a, b, d) of its own."""

    exponents = (1.0, 1.0, 1.0)

    def proposal(self, teacher: Profile, student: Profile, round: int, protocol: str = "text") -> Match:
        a, b, d = self.exponents
        teaches, needs = able(np.array(teacher.probe)) ** a, (1.0 - able(np.array(student.probe))) ** b
        value = teaches * needs * np.maximum(1.0 - np.array(student.coverage), 1e-9) ** d
        return replace(super().proposal(teacher, student, round, protocol), curriculum=tuple((value / value.sum()).tolist()))


def weighted(rounds: int, seed: int, exponents: tuple[float, float, float]) -> PairwiseMatchmaker:
    maker = Weighted(MatchingConfig(matchmaker="random", log_candidates=False), REWARD, rounds, seed)
    maker.exponents = exponents
    return maker


def foreseeing(world: TeachingWorld, rounds: int, ahead: float) -> PairwiseMatchmaker:
    place = {name: position for position, name in enumerate(world.names)}

    def trial(matches: Sequence[Match]) -> list[float]:
        lacks = GROWTH * (1.0 - world._own) * (1.0 - world._share(RIGHT))  # [n, 12]: gain by a teacher who knows everything
        gained = world.competence[:, None, :] * lacks[None, :, :] * min(1.0, world._budget / PROMPTS)  # [t, s, 12]
        value = gained.mean(axis=2) + ahead * (gained * lacks.mean(axis=0)).mean(axis=2)
        return [float(value[place[match.teacher], place[match.student]]) for match in matches]

    return OracleMatchmaker(MatchingConfig(matchmaker="oracle", curriculum=False, log_candidates=False), REWARD, rounds, trial)


def ends(agents: int, rounds: int, prompts: int, seeds: int, build: object) -> list[float]:
    scores = []
    for seed in range(seeds):
        world = TeachingWorld(agents, "high", seed, budget=prompts)
        scores.append(float(simulate(world, build(world, seed), rounds, seed).welfare[-1]))  # type: ignore[operator]
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    for agents, rounds, prompts in SETTINGS:
        place = {"agents": agents, "rounds": rounds, "prompts": prompts, "seeds": seeds}
        found = {}
        if prompts < PROMPTS:  # with all prompts there is nothing to spread
            grid = list(product(EXPONENTS, repeat=3))
            found["weights"] = {
                str(one): ends(agents, rounds, prompts, seeds, lambda _, s, r=rounds, e=one: weighted(r, s, e)) for one in grid
            }
        found["foresight"] = {str(a): ends(agents, rounds, prompts, seeds, lambda w, _, r=rounds, a=a: foreseeing(w, r, a)) for a in AHEAD}
        for idea, default in (("weights", str((1.0, 1.0, 1.0))), ("foresight", "0.0")):
            if idea not in found:
                continue
            best = max(found[idea], key=lambda key: float(np.mean(found[idea][key])))
            gain = paired_interval(found[idea][best], found[idea][default])
            result = {
                "idea": idea,
                "default": round(float(np.mean(found[idea][default])), 4),
                "best": best,
                "gain": [round(value, 4) for value in (gain.mean, gain.low, gain.high)],
                "means": {key: round(float(np.mean(scores)), 4) for key, scores in found[idea].items()},
            }
            append({**row("foresight", **place), **result})
            print(place, idea, "best", best, f"{100 * gain.mean:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}] points")


if __name__ == "__main__":
    main()
