"""World B of the published release (arXiv 2601.17133), written anew from its formulas.

Of a pair, i is the lower index; p and g are Pass@1 on local and on global data, JSd = √JS in nats, B bandwidth, E efficiency,
S the size in millions of parameters, τ trust, C collaboration:

    unlike = 0.7·JSd(types) + 0.3·JSd(difficulties)
    fit    = 0.4·exp(−(|p_i − p_j| − 0.3)² / 0.1) + 0.4·exp(−(|g_i − g_j| − 0.3)² / 0.1) + 0.2·(1 if the families differ, else 0.5)
    trust  = max(0, 0.5·min τ + 0.3·mean τ + 0.2·mean C − 0.3·[j among i's last 3 partners])
    base   = 0.5·unlike + 0.2·fit + 0.2·trust + 0.1·(0.6·mean B + 0.4·mean E)
    gain   = clip(0.1·base + 0.3·T·Σ (1 − p_r)·max(0, p_s − p_r)·(1 + rate), 0, 0.5)    over both directions s → r
    worth  = clip(10·gain − 1e-5·KB·(2 − min B), 0, 1)

by distillation (T = 0.6, KB = 2048) or adapter (T = 0.8 within a family, 0.24 across; KB = 5120·(1 + S/2000)), whichever is worth
more. Then both agents learn: Δ = 0.05·worth·(1 − p), times 1.2 after an adapter within a family; p += Δ, g += Δ/2.

The release names the size S of no particular agent: here it is the mean of the two, since both send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from knexa.matching import Profile
from knexa.matching.pairing import Pair
from knexa.study.worlds.release_a import distance, ordered, typed
from knexa.study.worlds.world import Array, Heterogeneity, World, profile, world_stream

#: Sizes by family, in millions of parameters. OPT and T5 are no families of a profile: they go by names that are free here.
SIZES = {
    "gpt_neox": (70, 160, 410, 1000, 1400),  # Pythia
    "qwen2": (125, 350, 1300, 2700),  # OPT
    "gpt2": (82, 124, 355, 774),
    "bloom": (77, 220, 770, 3000),  # T5
}
#: Dirichlet concentration of the data types; of the difficulties, half as much again.
CONCENTRATION = {"high": 0.3, "low": 2.0}
#: Local Pass@1 is drawn around the first mean whose size is not exceeded.
MEANS = {160.0: 0.25, 410.0: 0.35, 1500.0: 0.45, float("inf"): 0.55}
#: Every client's, so far as the formula has it.
LEARNING_RATE = 0.01
#: How many partners an agent remembers.
MEMORY = 3


class Client(NamedTuple):
    """What is drawn of a client, in the order in which it is drawn."""

    family: str
    size: int
    types: Array
    difficulties: Array
    local: float
    overall: float
    trust: float
    collaboration: float
    efficiency: float
    bandwidth: float


class ReleaseWorldB(World):
    """``worth`` is clipped before the noise; the release clips after it. ``local`` and ``overall`` [n] are p and g.

    Profiles hold p as Pass@1, and the types as the first 5 categories of the histogram. The formulas state no context for
    this world, so it has no ``describe``. What agents learn follows the noisy reward in the release, the worth here.
    """

    title: ClassVar[str] = "release-b"
    noise = 0.02

    def __init__(self, agents: int, heterogeneity: Heterogeneity, seed: int) -> None:
        super().__init__(agents)
        self.limit = min(agents // 2, 10)
        rng = world_stream(seed, self.title)
        self.clients = clients = [_drawn(CONCENTRATION[heterogeneity], rng) for _ in range(agents)]
        self.local: Array = np.array([client.local for client in clients])
        self.overall: Array = np.array([client.overall for client in clients])
        self._partners = np.full((agents, MEMORY), -1)  # the latest first
        self._difference = distance(np.array([client.types for client in clients]))
        self._unlike = 0.7 * self._difference + 0.3 * distance(np.array([client.difficulties for client in clients]))
        self._akin = np.array([[one.family == other.family for other in clients] for one in clients])
        self._trust = _lesser_and_mean([client.trust for client in clients])
        self._willing = _lesser_and_mean([client.collaboration for client in clients])
        self._efficient = _lesser_and_mean([client.efficiency for client in clients])
        self._bandwidth = _lesser_and_mean([client.bandwidth for client in clients])
        self._size = _lesser_and_mean([client.size for client in clients])

    def profiles(self, round: int) -> Mapping[str, Profile]:
        return {
            name: profile(name, round, family=client.family, histogram=typed(client.types), metrics={"pass@1": self.local[i]})
            for i, (name, client) in enumerate(zip(self.names, self.clients, strict=True))
        }

    def worth(self) -> Array:
        best: Array = self._by_protocol().max(axis=0)
        return best

    def exchange(self, pairs: Sequence[Pair], round: int, curricula: Sequence[Sequence[float]] = ()) -> None:
        one, other = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        worths = self._by_protocol()[:, one, other]
        learned = 0.05 * worths.max(axis=0) * np.where((worths[1] > worths[0]) & self._akin[one, other], 1.2, 1.0)
        for who, partner in ((one, other), (other, one)):
            change = learned * (1.0 - self.local[who])
            self.local[who] += change
            self.overall[who] += change / 2.0
            self._partners[who] = np.column_stack([partner, self._partners[who, :-1]])

    def welfare(self) -> float:
        """Mean p."""
        return float(self.local.mean())

    def difference(self) -> Array:
        """JSd(types) above: in nats under the root, so at most √ln 2 = 0.83."""
        return self._difference

    def _by_protocol(self) -> Array:
        """Worth by distillation and by adapter, [2, n, n]."""
        i, j = ordered(len(self.clients))
        ahead = self.local[j] - self.local[i]
        lack = 1.0 - np.where(ahead > 0, self.local[i], self.local[j])  # of the weaker: nobody learns in the other direction
        transfer = np.stack([np.full(ahead.shape, 0.6), np.where(self._akin, 0.8, 0.24)])
        gain = np.clip(0.1 * self._base() + 0.3 * transfer * lack * np.abs(ahead) * (1.0 + LEARNING_RATE), 0.0, 0.5)
        kilobytes = np.stack([np.full(ahead.shape, 2048.0), 5120.0 * (1.0 + self._size[1] / 2000.0)]) * (2.0 - self._bandwidth[0])
        worths: Array = np.clip(10.0 * gain - 1e-5 * kilobytes, 0.0, 1.0)
        return worths

    def _base(self) -> Array:
        i, j = ordered(len(self.clients))
        local, overall = (np.exp(-((np.abs(p[i] - p[j]) - 0.3) ** 2) / 0.1) for p in (self.local, self.overall))
        fit = 0.4 * local + 0.4 * overall + 0.2 * np.where(self._akin, 0.5, 1.0)
        lately = (self._partners[i] == j[..., None]).any(axis=-1)
        trust = np.maximum(0.0, 0.5 * self._trust[0] + 0.3 * self._trust[1] + 0.2 * self._willing[1] - 0.3 * lately)
        means = 0.6 * self._bandwidth[1] + 0.4 * self._efficient[1]
        base: Array = 0.5 * self._unlike + 0.2 * fit + 0.2 * trust + 0.1 * means
        return base


def _lesser_and_mean(numbers: Sequence[float]) -> Array:
    """Of every pair the lesser and the mean of its two numbers: [n] -> [2, n, n]."""
    given: Array = np.array(numbers, dtype=np.float64)
    return np.stack([np.minimum.outer(given, given), np.add.outer(given, given) / 2.0])


def _drawn(concentration: float, rng: np.random.Generator) -> Client:
    family = list(SIZES)[rng.integers(len(SIZES))]
    size = SIZES[family][rng.integers(len(SIZES[family]))]
    types, difficulties = rng.dirichlet([concentration] * 5), rng.dirichlet([1.5 * concentration] * 3)
    local = float(np.clip(rng.normal(next(mean for most, mean in MEANS.items() if size <= most), 0.05), 0.0, 1.0))
    return Client(
        family=family,
        size=size,
        types=types,
        difficulties=difficulties,
        local=local,
        overall=local - rng.uniform(0.02, 0.08),
        trust=rng.beta(4, 2),
        collaboration=rng.uniform(0.3, 0.7),
        efficiency=rng.uniform(0.6, 0.9),
        bandwidth=rng.uniform(0.3, 1.0),
    )
