"""Do released profiles prove more about private data than was claimed?

    python benchmarks/empirical_epsilon.py [--samples 100000] [--seed 0]

Two neighbouring data sets (one text is another), the same release drawn many times from each. For every event of a fixed list, chosen
before the draw, an exact bound on both probabilities (Clopper and Pearson, Bonferroni over all events) gives the least epsilon that the
outputs prove; the largest counts. It may never be above what was claimed. A release with half its noise is tried as well: a test that does
not catch it is none. Appends rows to results/.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction

from scipy import stats

from knexa.privacy import Randomness, discrete_laplace, noisy_counts, noisy_sum
from rows import append, row

#: Chance that any bound of a run is wrong.
ERROR = 0.001
#: Of the agent's texts: category by category, and right answers out of sixteen.
COUNTS, NEIGHBOUR = (40, 22, 13, 9, 6, 4, 2, 2, 1, 1, 0, 0), (39, 23, 13, 9, 6, 4, 2, 2, 1, 1, 0, 0)
RIGHT, ONE_LESS = (1,) * 9 + (0,) * 7, (1,) * 8 + (0,) * 8

Draw = Callable[[Randomness], float]


def proven(one: Draw, other: Draw, thresholds: Sequence[float], samples: int, seed: int) -> float:
    """The least epsilon that ``samples`` draws of each prove, by events "at least t" and "below t"."""
    rng = random.Random(seed)
    first, second = ([draw(rng) for _ in range(samples)] for draw in (one, other))
    level = ERROR / (4 * len(thresholds))
    best = 0.0
    for t in thresholds:
        counts = [sum(value >= t for value in values) for values in (first, second)]
        for a, b in ((counts[0], counts[1]), (counts[1], counts[0])):
            for hits, misses in ((a, b), (samples - a, samples - b)):
                low = float(stats.beta.ppf(level, hits, samples - hits + 1)) if hits else 0.0
                high = float(stats.beta.ppf(1 - level, misses + 1, samples - misses)) if misses < samples else 1.0
                if low > 0.0:
                    best = max(best, math.log(low / high))
    return best


def half_the_noise(counts: Sequence[int], epsilon: Fraction, rng: Randomness) -> list[float]:
    """A broken release: noise as if one count changed, where two do."""
    noisy = [max(0, count + discrete_laplace(1 / epsilon, rng)) for count in counts]
    return [one / (sum(noisy) or 1) for one in noisy]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    shares = [0.002 * step for step in range(-40, 41)]
    for claimed in (Fraction(1, 2), Fraction(1), Fraction(4)):
        releases = {
            "histogram": [lambda rng, c=c, e=claimed: _first_less_second(noisy_counts(c, e, rng)) for c in (COUNTS, NEIGHBOUR)],
            "right answers": [lambda rng, c=c, e=claimed: noisy_sum(c, 1, e, rng) for c in (RIGHT, ONE_LESS)],
            "histogram, half the noise": [
                lambda rng, c=c, e=claimed: _first_less_second(half_the_noise(c, e, rng)) for c in (COUNTS, NEIGHBOUR)
            ],
        }
        for name, (one, other) in releases.items():
            events = list(range(-12, 30)) if name == "right answers" else [0.18 + share for share in shares]
            found = proven(one, other, events, wanted.samples, wanted.seed)
            verdict = "more than claimed" if found > claimed else "within"
            print(f"{name:26} claimed {float(claimed):4.1f}  proven at least {found:5.3f}  {verdict}", flush=True)
            append(row("empirical_epsilon", release=name, claimed=float(claimed), proven=found, samples=wanted.samples, seed=wanted.seed))


def _first_less_second(shares: Sequence[float]) -> float:
    """What an attacker looks at who knows which two counts may differ."""
    return shares[0] - shares[1]


if __name__ == "__main__":
    main()
