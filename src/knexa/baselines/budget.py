"""How much a server's method may use: as much as ``random`` does in a round, shared out evenly.

Random pairs make students of a share of the agents (:func:`knexa.config.exchange_share`), each of which takes ``distillation.steps``
steps and is written ``distillation.prompts`` answers. A server teaches everybody in every round: so everybody takes that share of the
steps, and writes that share of the answers. What a server computes itself, and what is read but not learned from, comes on top and is
counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from knexa.config import FederationConfig, exchange_share


def steps_each(config: FederationConfig) -> int:
    """Optimiser steps of distillation that each agent takes in a round, rounded up in favour of the server's method."""
    return math.ceil(config.distillation.steps * exchange_share(config))


def prompts_each(config: FederationConfig) -> int:
    """Prompts that each agent answers in a round, the same for all; rounded up likewise."""
    return shared(config, config.distillation.prompts)


def shared(config: FederationConfig, prompts: int) -> int:
    """Everybody's share of ``prompts``; of all there are, where they are fewer than a student may ask for."""
    return math.ceil(prompts * exchange_share(config))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a central step took, and what it did: the numbers of a ``central`` event.

    ``students``: agents that learned, ``accepted`` of them kept it; ``steps`` of each, ``texts`` answers that agents wrote. On top of
    the budget: ``scored`` texts that agents read to say what is likely, ``server_steps`` and ``server_texts`` of a server model.
    ``bytes_up`` from all agents, ``bytes_down`` to all of them. Losses: mean over students, nats a token, on their own validation data.
    """

    students: int
    accepted: int
    loss_before: float
    loss_after: float
    steps: int = 0
    texts: int = 0
    scored: int = 0
    server_steps: int = 0
    server_texts: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
