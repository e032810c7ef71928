"""Synthetic federations: worlds in which the worth of every exchange is known, and nothing of a result is written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from knexa.study.worlds.additive import AdditiveWorld
from knexa.study.worlds.adversaries import Liars, PoorTeachers
from knexa.study.worlds.compatibility import CompatibilityWorld
from knexa.study.worlds.release_a import ReleaseWorldA
from knexa.study.worlds.release_b import ReleaseWorldB
from knexa.study.worlds.release_c import ReleaseWorldC
from knexa.study.worlds.transfer import TransferWorld
from knexa.study.worlds.world import Heterogeneity, World


@dataclass(frozen=True, slots=True)
class WorldKind:
    """``build(agents, heterogeneity, seed)``. ``only_high``: the formula knows no low heterogeneity."""

    summary: str
    build: Callable[[int, Heterogeneity, int], World]
    only_high: bool = False


#: By the name that the command line and rows use.
WORLDS: Mapping[str, WorldKind] = MappingProxyType(
    {
        "additive": WorldKind("worth is a sum over teacher and student", AdditiveWorld),
        "compatibility": WorldKind("worth depends on how the two fit", CompatibilityWorld),
        "transfer": WorldKind("agents learn what teachers know better, and change", TransferWorld),
        "transfer-exact": WorldKind(
            "transfer, competences known without noise", lambda n, het, seed: TransferWorld(n, het, seed, exact_probe=True)
        ),
        "liars-20": WorldKind(
            "compatibility, 20 % of the agents report the opposite", lambda n, het, seed: Liars(CompatibilityWorld(n, het, seed), 0.2, seed)
        ),
        "liars-40": WorldKind(
            "compatibility, 40 % of the agents report the opposite", lambda n, het, seed: Liars(CompatibilityWorld(n, het, seed), 0.4, seed)
        ),
        "poor-30": WorldKind(
            "compatibility, 30 % of the agents harm whom they teach",
            lambda n, het, seed: PoorTeachers(CompatibilityWorld(n, het, seed), 0.3, seed),
        ),
        "release-a": WorldKind("the published release's world A", ReleaseWorldA),
        "release-b": WorldKind("the published release's world B", ReleaseWorldB),
        "release-c": WorldKind("the published release's world C", ReleaseWorldC, only_high=True),
    }
)
