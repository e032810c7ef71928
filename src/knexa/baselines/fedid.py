"""FedID-CentralKD: a server model learns what the agents vote for, and is then the teacher of all.

After FedID (Ma et al. 2023), where a server model is trained on the clients' predictions for unlabelled public data, and the clients
are distilled from it. What is kept: votes weighted by confidence, the server's own model, the way down from it. Not kept: FedID
classifies, so its votes are over labels and its server corrects the clients with labelled data of its own; texts have no labels, so an
answer is voted for by who writes the same text, and the server has nothing but prompts. Its answers travel as texts, which any tokenizer
reads.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from knexa.baselines.budget import Tally, prompts_each, steps_each
from knexa.baselines.tasks import SERVER, Answer, AnsweredPrompt, Answers, Carry, Distil, Learn, size_of
from knexa.config import FederationConfig


def vote(ballots: Sequence[Answers]) -> tuple[AnsweredPrompt, ...]:
    """For each prompt the text with the greatest sum of confidences (mean probability of a token, geometrically) over who wrote it.

    Texts that differ in white space at their end only are the same. Ties go to the text that sorts first.
    """
    votes: dict[str, defaultdict[str, float]] = {}
    for ballot in ballots:
        for prompt, text, confidence in ballot.answers:
            votes.setdefault(prompt, defaultdict(float))[text.rstrip() + "\n"] += math.exp(confidence)
    return tuple((prompt, min(texts, key=lambda text: (-texts[text], text))) for prompt, texts in votes.items())


def step(carry: Carry, fleet: Mapping[str, str], config: FederationConfig, round: int) -> Tally:
    """After ``round``. ``fleet``: backbone of each agent that takes part, by name."""
    ballots = carry([(agent, Answer(prompts_each(config))) for agent in fleet])
    server_steps = config.central.server_steps
    carry([(SERVER, Learn(vote(ballots), server_steps))])
    (taught,) = carry([(SERVER, Answer(prompts_each(config)))])
    learned = carry([(agent, Distil(taught.texts, steps_each(config))) for agent in fleet])
    return Tally(
        students=len(fleet),
        accepted=sum(one.accepted for one in learned),
        loss_before=fmean(one.loss_before for one in learned),
        loss_after=fmean(one.loss_after for one in learned),
        steps=steps_each(config),
        texts=sum(len(one.answers) for one in ballots),
        server_steps=server_steps,
        server_texts=len(taught.answers),
        bytes_up=sum(size_of(one.texts) for one in ballots),
        bytes_down=size_of(taught.texts) * len(fleet),
    )


def jobs(fleet: Mapping[str, str]) -> dict[str, int]:
    """Tasks of one step, by name. The server answers too."""
    return {"answer": len(fleet) + 1, "learn": 1, "distil": len(fleet)}
