"""What the types of a configuration cannot say: names that must exist, and values that must fit each other."""

from __future__ import annotations

import json
from collections.abc import Sequence

from knexa.config.safety import HOSTILE
from knexa.config.sections import (
    EMBEDDED_BACKBONES,
    HUMAN_EVAL_MBPP,
    MATCHMAKERS,
    NOTES,
    PACKAGED_BACKBONES,
    AgentConfig,
    DataConfig,
    FederationConfig,
)
from knexa.field_rules import nearest
from knexa.layers import Layer, complaint
from knexa.paths import exists, is_file

#: Least noise of DP-SGD: with less the accountant's sums leave what a float holds, and every epsilon is useless.
LEAST_NOISE = 0.05


def check(config: FederationConfig, layers: Sequence[Layer]) -> None:
    """Raises ConfigurationError with the key as it was written in one of ``layers``."""
    names = [agent.name for agent in config.agents]
    for index, agent in enumerate(config.agents):
        if agent.name in names[:index]:
            raise complaint(layers, ("agents", index, "name"), agent.name, "a name that no other agent has")
        _check_backbone(agent, ("agents", index, "backbone"), layers)
        if (agent.data is None) != (config.agents[0].data is None):
            allowed = "a file for every agent or for none"
            raise complaint(layers, ("agents", index, "data"), agent.data or "none", allowed)
        for unknown in sorted(set(agent.refuses) - set(names)):
            raise complaint(layers, ("agents", index, "refuses"), unknown, f"names of agents: {', '.join(names)}{nearest(unknown, names)}")
    if max(config.evaluation.k, default=0) > config.evaluation.samples or min(config.evaluation.k, default=0) < 1:
        raise complaint(
            layers, ("evaluation", "k"), config.evaluation.k, f"whole numbers from 1 to evaluation.samples = {config.evaluation.samples}"
        )
    if config.matching.matchmaker not in MATCHMAKERS and ":" not in config.matching.matchmaker:
        hint = nearest(config.matching.matchmaker, MATCHMAKERS)
        raise complaint(layers, ("matching", "matchmaker"), config.matching.matchmaker, f"{', '.join(MATCHMAKERS)} or module:object{hint}")
    _check_problems(config.data, layers)
    _check_faults(config, layers)
    _check_privacy(config, layers)
    _check_teaching(config, layers)
    _check_central(config, layers)


def _check_problems(data: DataConfig, layers: Sequence[Layer]) -> None:
    if min(data.canary_repeats) < 1:
        raise complaint(layers, ("data", "canary_repeats"), data.canary_repeats, "whole numbers of at least 1")
    if data.problems not in ("embedded", NOTES, HUMAN_EVAL_MBPP) and not is_file(data.problems):
        allowed = f"'embedded', '{NOTES}', '{HUMAN_EVAL_MBPP}' or the path of an existing .jsonl file"
        raise complaint(layers, ("data", "problems"), data.problems, allowed)
    if data.mbpp is not None and (data.problems != HUMAN_EVAL_MBPP or not is_file(data.mbpp)):
        raise complaint(layers, ("data", "mbpp"), data.mbpp, f"an existing file, where data.problems = '{HUMAN_EVAL_MBPP}' uses it")


def _check_teaching(config: FederationConfig, layers: Sequence[Layer]) -> None:
    distillation, matching = config.distillation, config.matching
    if distillation.candidates > distillation.prompts:
        wanted = f"whole numbers from 1 to distillation.prompts = {distillation.prompts}"
        raise complaint(layers, ("distillation", "candidates"), distillation.candidates, wanted)
    if distillation.agreement and not distillation.memory:
        wanted = "false, or distillation.memory = true: what earlier teachers wrote is remembered there"
        raise complaint(layers, ("distillation", "agreement"), True, wanted)
    if matching.only_better and not (matching.curriculum and matching.probe):
        wanted = "false, or matching.curriculum = true and matching.probe = true: it is the curriculum that leaves categories out"
        raise complaint(layers, ("matching", "only_better"), True, wanted)


def _check_privacy(config: FederationConfig, layers: Sequence[Layer]) -> None:
    privacy = config.privacy
    if config.central.method is not None and (privacy.epsilon is not None or privacy.sgd_noise):
        wanted = (
            "none where privacy.epsilon or privacy.sgd_noise is set: a server's methods ask for losses and training that no budget counts"
        )
        raise complaint(layers, ("central", "method"), config.central.method, wanted)
    if 0 < privacy.sgd_noise < LEAST_NOISE:
        raise complaint(layers, ("privacy", "sgd_noise"), privacy.sgd_noise, f"0, or at least {LEAST_NOISE}: with less nothing is hidden")
    if privacy.sgd_epsilon is not None and not privacy.sgd_noise:
        wanted = "none, or privacy.sgd_noise above 0: plain updates have no epsilon"
        raise complaint(layers, ("privacy", "sgd_epsilon"), privacy.sgd_epsilon, wanted)
    if privacy.epsilon is None:
        return
    if config.reward.measure != "probe":
        wanted = "'probe' where privacy.epsilon is set: the loss on private data would be told with every exchange"
        raise complaint(layers, ("reward", "measure"), config.reward.measure, wanted)
    if config.distillation.rollback is not None:
        wanted = "'none' where privacy.epsilon is set: whether an exchange was undone would tell of private data (acceptance does not)"
        raise complaint(layers, ("distillation", "rollback"), config.distillation.rollback, wanted)


def _check_faults(config: FederationConfig, layers: Sequence[Layer]) -> None:
    names = [agent.name for agent in config.agents]
    for index, fault in enumerate(config.faults):
        path = ("faults", index)
        for unknown in sorted(set(fault.agents) - set(names)):
            raise complaint(layers, (*path, "agents"), unknown, f"names of agents: {', '.join(names)}{nearest(unknown, names)}")
        if bool(fault.agents) == (fault.share is not None):
            raise complaint(layers, (*path, "agents"), list(fault.agents), "names of agents, or share = a part of them: one of the two")
        if fault.share is not None and round(fault.share * len(names)) == 0:
            wanted = f"at least {1 / len(names):.2f}, since there are {len(names)} agents"
            raise complaint(layers, (*path, "share"), fault.share, wanted)
        if fault.until_round is not None and fault.until_round < fault.from_round:
            raise complaint(layers, (*path, "until_round"), fault.until_round, f"at least from_round = {fault.from_round}")


def check_honest(config: FederationConfig, layers: Sequence[Layer]) -> None:
    """``config`` with the agents that its faults stand for. Raises ConfigurationError if nobody is left whose scores count."""
    hostile = {name for fault in config.faults if fault.kind in HOSTILE for name in fault.agents}
    if hostile and hostile >= {agent.name for agent in config.agents}:
        raise complaint(
            layers, ("faults",), "every agent hostile", "at least one that is not: the scores of a run are those of honest agents"
        )


#: How a server's methods distil.
_PLAIN = {"verify": False, "memory": False, "keep": 1.0, "agreement": False, "candidates": 1, "alpha": "schedule", "acceptance": None}


def _check_central(config: FederationConfig, layers: Sequence[Layer]) -> None:
    central, distillation = config.central, config.distillation
    if central.method is not None and config.matching.matchmaker != "local":
        wanted = "with matching.matchmaker = 'local' only: a server replaces the pairs"
        raise complaint(layers, ("central", "method"), central.method, wanted)
    other = [f"distillation.{key} = {json.dumps(value)}" for key, value in _PLAIN.items() if getattr(distillation, key) != value]
    if central.method in ("central-kd", "fedid") and other:
        wanted = f"with {' and '.join(other)} only: a server distils plainly"
        raise complaint(layers, ("central", "method"), central.method, wanted)
    backbones = sorted({agent.backbone for agent in config.agents})
    if central.backbone is not None and central.backbone not in backbones:
        raise complaint(layers, ("central", "backbone"), central.backbone, f"{', '.join(backbones)}, or none")


def _check_backbone(agent: AgentConfig, path: tuple[str | int, ...], layers: Sequence[Layer]) -> None:
    kind, colon, name = agent.backbone.partition(":")
    shipped = {"embedded": EMBEDDED_BACKBONES, "package": PACKAGED_BACKBONES}
    known = [f"{prefix}:{name}" for prefix, names in shipped.items() for name in names]
    allowed = f"{', '.join(known)}, a folder, a .gguf file, or a hub id"
    if colon and name not in shipped.get(kind, ()):
        raise complaint(layers, path, agent.backbone, allowed + nearest(agent.backbone, known))
    if (agent.backbone.startswith((".", "/", "~")) or agent.backbone.endswith(".gguf")) and not exists(agent.backbone):
        raise complaint(layers, path, agent.backbone, f"an existing folder or .gguf file, {', '.join(known)}, or a hub id")
    if not agent.backbone:
        raise complaint(layers, path, agent.backbone, allowed)
