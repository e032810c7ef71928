"""FedAvg on LoRA (McMahan et al. 2017; on adapters FedIT, Zhang et al. 2023, arXiv 2305.05644), within groups of equal backbones.

Members of a group send their adapters, weighted by the number of their private examples; the mean of A and the mean of B, each by
itself as published, replaces all of theirs, and optimiser moments are forgotten. As published, a group begins with one common adapter:
before the first round everybody takes that of the group's first agent, whose B is zero like everybody's, so no model changes. An agent
alone with its backbone has nobody to average with and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from knexa.baselines.budget import Tally
from knexa.baselines.tasks import SERVER, Adopt, Carry, Mean, Share, Shared
from knexa.config import FederationConfig


def groups(fleet: Mapping[str, str]) -> list[list[str]]:
    """Agents with equal backbones, at least two together. ``fleet``: backbone of each agent, by name."""
    together: dict[str, list[str]] = {}
    for agent, backbone in fleet.items():
        together.setdefault(backbone, []).append(agent)
    return [members for members in together.values() if len(members) > 1]


def step(carry: Carry, fleet: Mapping[str, str], config: FederationConfig, round: int) -> Tally | None:
    """After ``round``; 0 is before the first. None if nobody has anybody to average with."""
    together = groups(fleet)
    members = [agent for group in together for agent in group]
    if not members:
        return None
    shared = dict(zip(members, carry([(agent, Share()) for agent in members]), strict=True))
    means = carry([(SERVER, _mean([shared[agent] for agent in group], begins=round == 0)) for group in together])
    adopted = [(agent, Adopt(mean)) for group, mean in zip(together, means, strict=True) for agent in group]
    learned = carry(adopted)
    return Tally(
        students=len(members),
        accepted=len(members),
        loss_before=fmean(one.loss_before for one in learned),
        loss_after=fmean(one.loss_after for one in learned),
        bytes_up=sum(len(one.adapter) for one in shared.values()),
        bytes_down=sum(len(one.adapter) for _, one in adopted),
    )


def jobs(fleet: Mapping[str, str]) -> dict[str, int]:
    """Tasks of one step, by name."""
    together = groups(fleet)
    members = sum(map(len, together))
    return {"share": members, "mean": len(together), "adopt": members}


def _mean(shared: Sequence[Shared], *, begins: bool) -> Mean:
    """Weighted by examples; all weight on the first where the group ``begins``."""
    weights = [int(place == 0) for place in range(len(shared))] if begins else [one.examples for one in shared]
    return Mean(tuple(one.adapter for one in shared), tuple(weight / sum(weights) for weight in weights))
