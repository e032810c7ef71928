"""Central-KD: a server averages what all agents find likely on common texts, and broadcasts the mean.

The ensemble distillation of FedMD (Li & Wang 2019) and FedDF (Lin et al. 2020), for language models. The common texts are the agents'
own answers to the round's prompts: the transfer set has prompts and tests, and no solutions. Every agent says of every one of them what
it finds likely at each token; the mean over all agents is distilled by all. Averages over different vocabularies, of which those methods
know nothing, are ours (:mod:`knexa.learning.cross_vocabulary`), as are the shares of Eq. 2 that keep an agent's own data in every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from knexa.baselines.budget import Tally, prompts_each, steps_each
from knexa.baselines.tasks import SERVER, Answer, Blend, Carry, Distil, Tell, size_of
from knexa.config import FederationConfig


def step(carry: Carry, fleet: Mapping[str, str], config: FederationConfig, round: int) -> Tally:
    """After ``round``. ``fleet``: backbone of each agent that takes part, by name."""
    answers = carry([(agent, Answer(prompts_each(config))) for agent in fleet])
    texts = tuple(dict.fromkeys(text for one in answers for text in one.texts))  # what several wrote is scored once
    told = tuple(carry([(agent, Tell(texts)) for agent in fleet]))
    backbones = list(dict.fromkeys(fleet.values()))
    blends = dict(zip(backbones, carry([(SERVER, Blend(backbone, texts, told)) for backbone in backbones]), strict=True))
    learned = carry([(agent, Distil(texts, steps_each(config), blends[backbone])) for agent, backbone in fleet.items()])
    size = size_of(texts)
    return Tally(
        students=len(fleet),
        accepted=sum(one.accepted for one in learned),
        loss_before=fmean(one.loss_before for one in learned),
        loss_after=fmean(one.loss_after for one in learned),
        steps=steps_each(config),
        texts=sum(len(one.answers) for one in answers),
        scored=len(texts) * len(fleet),
        bytes_up=sum(size_of(one.texts) for one in answers) + sum(map(len, told)),
        bytes_down=sum(size + len(blends[backbone]) for backbone in fleet.values()),
    )


def jobs(fleet: Mapping[str, str]) -> dict[str, int]:
    """Tasks of one step, by name."""
    return {"answer": len(fleet), "tell": len(fleet), "blend": len(set(fleet.values())), "distil": len(fleet)}
