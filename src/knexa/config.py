"""``federation.toml``: typed, validated, with presets.

A configuration is frozen and complete: every default is written out into the run folder's ``config.toml``. Unknown keys
are errors, so that no option is ever silently ignored. Presets and strategies are plain overrides of these fields.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from knexa.errors import ConfigurationError
from knexa.field_rules import nearest, rules
from knexa.layers import Layer, complaint, explain, file_layer, merge, nest, set_layers
from knexa.presets import DEFAULT_PRESET, preset_names, read_preset
from knexa.strategies import PEERS_ONLY, RESET, STRATEGIES, UNDISTILLED

#: Backbones that the package ships, named ``embedded:NAME`` in the configuration.
EMBEDDED_BACKBONES = ("qwen2", "gpt2", "bloom", "gpt-neox")

#: Backbones that packages of the Python index carry, named ``package:NAME``.
PACKAGED_BACKBONES = ("smollm2-135m", "gemma3-270m")

#: The shipped texts without tests and the paper's programming tasks, as ``data.problems`` names them.
NOTES, HUMAN_EVAL_MBPP = "notes", "human-eval+mbpp"

#: Matchmakers named without ``module:object``.
MATCHMAKERS = ("knexa", "random", "heuristic", "local", "fedskd", "gossip", "oracle")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        """TOML has no null: the word ``none`` stands for it, so that a resolved file can say everything."""
        return None if value == "none" else value


class DataConfig(Section):
    """Which problems, and how private data is spread over the agents."""

    problems: str = Field(
        "embedded",
        description=f"'embedded' (the shipped bank), '{NOTES}' (shipped texts), '{HUMAN_EVAL_MBPP}' (the paper's tasks) or the path "
        "of a .jsonl file of problems or texts",
    )
    mbpp: str | None = Field(None, description=f"path of mbpp.jsonl, for '{HUMAN_EVAL_MBPP}'")
    alpha: float = Field(0.1, gt=0, description="Dirichlet concentration per category over agents; small = non-IID")
    private: int = Field(900, ge=1, description="problems of the private pool shared out over all agents")
    minimum: int = Field(60, ge=1, description="fewest private problems an agent may get; the draw is repeated until it holds")
    pooled: bool = Field(False, description="every agent trains on the private data of all: an upper bound, in a simulation only")


class AgentConfig(Section):
    """One participant."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    backbone: str = Field(description="'embedded:NAME', 'package:NAME', a folder, a .gguf file, or a hub id")
    data: str | None = Field(
        None, description="path of a .jsonl file with its own private rows, for every agent or for none; None = dealt from data.problems"
    )
    organisation: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,30}$",
        description="who runs it; all agents of an organisation have one say together; None = an organisation of its own",
    )
    protocols: tuple[Literal["text", "logits", "adapter"], ...] = Field(
        ("text",),
        min_length=1,
        description="how it exchanges knowledge; logits needs a partner with its tokenizer, adapter one with its backbone",
    )
    refuses: tuple[str, ...] = Field((), description="agents that it neither teaches nor learns from")
    lessons: int | None = Field(None, ge=0, description="most exchanges in which it teaches; None = no bound")
    kilobytes: float | None = Field(None, ge=0, description="it learns no more once it has received so many; None = no bound")
    behaviour: Literal["honest", "lazy", "weak"] = Field("honest", description="lazy: teaches empty bodies; weak: never trains locally")


class ModelConfig(Section):
    """How backbones are loaded and what they read."""

    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of frozen weights and activations; auto: bfloat16 for models of 50 M parameters and more where the processor has it",
    )
    longest: int = Field(
        256, ge=8, description="most tokens of a text that is learned; what is longer is cut, and counted in every evaluation"
    )
    checkpointing: bool = Field(
        False, description="compute activations again in the backward pass instead of keeping them: slower, smaller"
    )


class LocalConfig(Section):
    """Phase 1, the local update. Steps are optimiser steps."""

    learning_rate: float = Field(4e-3, gt=0)
    first_steps: int = Field(80, ge=0, description="steps in round 1")
    steps: int = Field(4, ge=0, description="steps in every later round")
    batch_size: int = Field(8, ge=1)
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    warmup: float = Field(0.02, ge=0, le=1, description="share of all steps with linear warm-up")
    trainable_share: float = Field(0.03, gt=0, le=0.5, description="LoRA rank is chosen to train about this share of parameters")


class DistillationConfig(Section):
    """Phase 3, adaptive knowledge distillation (Eq. 2) and what we add to it."""

    learning_rate: float = Field(1.5e-3, gt=0)
    steps: int = Field(16, ge=0, description="optimiser steps for one exchange")
    batch_size: int = Field(8, ge=1, description="teacher's texts in a batch")
    own_batch_size: int = Field(4, ge=1, description="private texts beside them, which keep the student from forgetting")
    prompts: int = Field(128, ge=1, description="prompt budget of one exchange; 128 = the whole transfer set, as in Eq. 2")
    temperature: float = Field(2.0, gt=0, description="softens both distributions of a logits exchange (the paper: 1.5 to 2.5)")
    top_logits: int = Field(8, ge=1, description="most likely tokens that a logits exchange carries for every token of an answer")
    alpha: Literal["schedule", "need"] = Field(
        "schedule", description="how it goes from alpha_start to alpha_end: with the rounds, or with how much there is to learn from peers"
    )
    alpha_start: float = Field(0.2, ge=0, le=1)
    alpha_end: float = Field(0.5, ge=0, le=1)
    candidates: int = Field(
        1,
        ge=1,
        description="texts that a teacher writes for a prompt in a text exchange, for the student to choose from; prompts become fewer, "
        "so that all texts together stay within the budget",
    )
    verify: bool = Field(True, description="keep only teacher texts that pass the transfer set's public tests")
    memory: bool = Field(True, description="replay all verified texts ever received in every distillation")
    keep: float = Field(
        1.0, gt=0, le=1, description="share of an exchange's texts that no test checks to keep, those that the teacher is most sure of"
    )
    agreement: bool = Field(
        False, description="of several teachers' unchecked texts for a prompt, remember the one most like the others, not the last"
    )
    rollback: float | None = Field(
        1.0, ge=0, description="undo an exchange that raises the student's validation loss by more nats than this; None = never"
    )

    def candidates_by(self, protocol: str) -> int:
        """Texts for a prompt in an exchange by ``protocol``: logits are told of one text, an adapter needs none."""
        return self.candidates if protocol == "text" else 1


class MatchingConfig(Section):
    """Phase 2, who teaches whom, and what."""

    matchmaker: str = Field("knexa", description="knexa, random, heuristic, local, fedskd, gossip, oracle or module:object")
    context: Literal["concat", "gap", "joint"] = Field(
        "gap", description="what the bandit sees of a pair: both profiles (the paper), what lies between them, or both of these"
    )
    bandit: Literal["linucb", "thompson", "kernel"] = Field(
        "linucb", description="kernel: also learns what is no sum of features, from more rewards"
    )
    pairing: Literal["greedy", "optimal"] = Field("optimal", description="how disjoint pairs are chosen; above 400 agents always greedy")
    pairs: int | None = Field(None, ge=1, description="most pairs a round; None = as many as fit")
    fairness: int | None = Field(
        None,
        ge=1,
        description="most rounds without a partner, and most exchanges as student, in a row; None = no bound. Not for a module:object",
    )
    exploration: float = Field(0.5, ge=0, description="beta of LinUCB; standard deviations of a Thompson draw")
    schedule: Literal["constant", "sqrt"] = Field("constant", description="how exploration changes; sqrt: divided by the root of the round")
    ridge: float = Field(1.0, gt=0, description="lambda of the bandit: the weight of its prior")
    discount: float = Field(1.0, gt=0, le=1, description="how much of its evidence the bandit keeps from round to round")
    trust: bool = Field(True, description="reports that disagree with what others report count less")
    curriculum: bool = Field(True, description="a match also says how the prompt budget is spread over categories")
    probe: bool = Field(True, description="profiles carry the public-probe and coverage blocks (12 + 12 numbers)")
    only_better: bool = Field(
        False, description="a teacher is asked only in categories where it does better on the probe than its student; needs both of these"
    )
    log_candidates: bool = Field(True, description="log every candidate's context, for replay (up to 128 agents)")


class CentralConfig(Section):
    """A server that combines what all agents know, in place of pairs: baselines, in a simulation only."""

    method: Literal["fedavg", "central-kd", "fedid"] | None = Field(
        None, description="what the server does between two rounds; None = there is none, agents teach each other"
    )
    backbone: str | None = Field(None, description="of fedid's server model: one of the agents' backbones; None = the first agent's")
    server_steps: int = Field(16, ge=0, description="optimiser steps of fedid's server model in a round")


class RewardConfig(Section):
    """Phase 4, Eq. 3: gamma * (loss before - loss after) - delta * kilobytes."""

    gamma: float = Field(1.0, gt=0)
    delta: float = Field(0.001, ge=0, description="price of one kilobyte")
    clip: float = Field(1.0, gt=0, description="rewards are clipped to [-clip, clip] before z-scoring")
    scale: Literal["moments", "robust"] = Field(
        "robust", description="z-score by running mean and deviation (the paper), or by median and median absolute deviation"
    )
    measure: Literal["validation", "probe", "blend"] = "probe"


class GenerationConfig(Section):
    max_new_tokens: int = Field(64, ge=1)
    teaching_temperature: float = Field(0.0, ge=0, description="0 = greedy")
    candidate_temperature: float = Field(0.6, gt=0, description="of all but the first of several candidates for a prompt")


class EvaluationConfig(Section):
    samples: int = Field(10, ge=1, description="n of Pass@k")
    temperature: float = Field(0.4, gt=0)
    k: tuple[int, ...] = (1, 5, 10)
    problems: int | None = Field(None, ge=1, description="evaluate on so many test problems, spread over the split; None = all")
    curve_every: int = Field(10, ge=0, description="greedy Pass@1 on the validation split after every so many rounds; 0 = never")


class SandboxConfig(Section):
    backend: Literal["auto", "bubblewrap", "landlock"] = "auto"
    timeout_s: float = Field(2.0, gt=0)
    memory_mb: int = Field(256, ge=32)


class TransportConfig(Section):
    """How long whom is waited for; and the virtual network of a simulation, seeded."""

    delay_s: float = Field(0.05, ge=0, description="mean one-way delay, exponentially distributed")
    loss: float = Field(0.0, ge=0, lt=1, description="probability that a message is lost")
    deadline_s: float = Field(3600.0, gt=0, description="a phase waits at most this long for its slowest participant")
    deadlines: Literal["fixed", "observed"] = Field(
        "observed", description="wait for deadline_s, or as long as the durations seen so far suggest (median + k MAD), up to deadline_s"
    )
    quorum: float = Field(1.0, gt=0, le=1, description="a round goes on once this share of the agents has reported its profile")
    lease_s: float = Field(
        30.0,
        ge=1,
        description="real federation: who is not heard of for so long is not waited for; progress renews deadlines",
    )


class EngineConfig(Section):
    kind: Literal["serial", "processes"] = "processes"
    workers: int = Field(2, ge=1)
    threads: int = Field(1, ge=1, description="torch threads in each worker")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$",
        description="auto: a GPU if there is one, each worker its own where there are several; else cpu, cuda or cuda:N",
    )
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+",
        description="base address of a server that writes the answers instead: vLLM, or whoever speaks OpenAI's API and takes adapters",
    )
    endpoint_folder: str | None = Field(None, description="where adapters are written for that server to read; None = a temporary folder")


class FederationConfig(Section):
    """A whole federation. ``strategy`` names what was asked for; the sections below hold what it resolved to."""

    seed: int = Field(42, ge=0)
    rounds: int = Field(20, ge=1)
    strategy: str = "knexa"
    agents: tuple[AgentConfig, ...] = Field(min_length=2)
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    local: LocalConfig = LocalConfig()
    distillation: DistillationConfig = DistillationConfig()
    matching: MatchingConfig = MatchingConfig()
    central: CentralConfig = CentralConfig()
    reward: RewardConfig = RewardConfig()
    generation: GenerationConfig = GenerationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    sandbox: SandboxConfig = SandboxConfig()
    transport: TransportConfig = TransportConfig()
    engine: EngineConfig = EngineConfig()


def organisations(config: FederationConfig) -> dict[str, str]:
    """The organisation of each agent, by names; an agent that names none is one of its own."""
    return {agent.name: agent.organisation or agent.name for agent in config.agents}


#: What a run is called whose settings no named strategy describes.
CUSTOM = "custom"


def load_config(
    source: str | Path | None = None,
    *,
    preset: str | None = None,
    strategy: str | None = None,
    rounds: int | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
) -> FederationConfig:
    """Resolve a configuration: preset, then ``source``, then the strategy, then ``sets`` ("a.b=value"), then flags.

    ``source``: path of a TOML file, or the name of a preset. A file may name its own ``preset`` and ``strategy``; what else it
    says is said about that strategy, and holds. The arguments win over both. Without a strategy nothing is overridden, and the
    run is called ``knexa`` if it equals that strategy, else ``custom``. Strategies that distil nothing (:data:`UNDISTILLED`) get the
    gradient steps that distillation would have taken: teachers and students share one budget. Raises ConfigurationError with one
    sentence: the key as written, what was found, what is allowed.
    """
    if source is not None and str(source) in preset_names() and not Path(source).exists():
        source, preset = None, preset or str(source)
    file = file_layer(Path(source)) if source is not None else Layer("file")
    own = file.data.pop("preset", DEFAULT_PRESET)
    preset = _known("--preset" if preset else f"{file.label} preset", preset or own, preset_names())
    shipped_as = Layer(f"preset {preset}: key", read_preset(preset))
    base = [shipped_as, file]
    top = set_layers(sets)
    top += [Layer(f"--{key}", {key: value}, keyed=False) for key, value in (("rounds", rounds), ("seed", seed)) if value is not None]

    named = strategy or merge([*base, *top]).get("strategy")
    if named is None or named == CUSTOM:
        config = _resolve([*base, *top])
        shipped = _resolve([*base, *top, *_strategy_layers("knexa")])
        return config.model_copy(
            update={"strategy": "knexa" if config == shipped.model_copy(update={"strategy": config.strategy}) else CUSTOM}
        )
    name = _known("--strategy" if strategy else f"{file.label} strategy", named, tuple(STRATEGIES))
    if strategy is None and "strategy" not in merge(top):
        return _with_strategy(name, [shipped_as], [file, *top])
    return _with_strategy(name, base, top)


def to_toml(config: FederationConfig) -> str:
    """The complete configuration as TOML; loading it gives an equal configuration."""
    return tomli_w.dumps(_without_none(config.model_dump(mode="json")))


def exchange_share(config: FederationConfig) -> float:
    """Expected share of agents that are students in a round: pairs over agents."""
    most = len(config.agents) // 2
    return min(config.matching.pairs or most, most) / len(config.agents)


def _with_strategy(name: str, below: Sequence[Layer], above: Sequence[Layer]) -> FederationConfig:
    config = _resolve([*below, *_strategy_layers(name), *above, Layer("--strategy", {"strategy": name}, keyed=False)])
    return _with_local_budget(config) if name in UNDISTILLED else config


def _strategy_layers(name: str) -> list[Layer]:
    defaults = {rule.key: rule.default for rule in rules(FederationConfig)}
    overrides = {key: defaults[key] if value is RESET else value for key, value in {**PEERS_ONLY, **STRATEGIES[name].overrides}.items()}
    return [Layer(f"strategy {name}: key", nest(key.split("."), value)) for key, value in overrides.items()]


def _with_local_budget(config: FederationConfig) -> FederationConfig:
    """Turn distillation steps into local ones that see as many texts; a step of Eq. 2 sees own and taught ones.

    No distillation step is left over, so resolving a resolved configuration changes nothing.
    """
    texts = config.distillation.steps * (config.distillation.own_batch_size + config.distillation.batch_size)
    extra = math.ceil(texts * exchange_share(config) / config.local.batch_size)
    local = config.local.model_copy(update={"first_steps": config.local.first_steps + extra, "steps": config.local.steps + extra})
    return config.model_copy(update={"local": local, "distillation": config.distillation.model_copy(update={"steps": 0})})


def _resolve(layers: Sequence[Layer]) -> FederationConfig:
    try:
        config = FederationConfig.model_validate(merge(layers))
    except ValidationError as error:
        raise explain(FederationConfig, layers, error) from error
    _check(config, layers)
    return config


def _check(config: FederationConfig, layers: Sequence[Layer]) -> None:
    """What types cannot say: names that must exist, and values that must fit each other."""
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
    _check_teaching(config, layers)
    _check_central(config, layers)


def _check_problems(data: DataConfig, layers: Sequence[Layer]) -> None:
    if data.problems not in ("embedded", NOTES, HUMAN_EVAL_MBPP) and not Path(data.problems).is_file():
        allowed = f"'embedded', '{NOTES}', '{HUMAN_EVAL_MBPP}' or the path of an existing .jsonl file"
        raise complaint(layers, ("data", "problems"), data.problems, allowed)
    if data.mbpp is not None and (data.problems != HUMAN_EVAL_MBPP or not Path(data.mbpp).is_file()):
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


#: How a server's methods distil.
_PLAIN = {"verify": False, "memory": False, "keep": 1.0, "agreement": False, "candidates": 1, "alpha": "schedule"}


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
    if (agent.backbone.startswith((".", "/", "~")) or agent.backbone.endswith(".gguf")) and not Path(agent.backbone).expanduser().exists():
        raise complaint(layers, path, agent.backbone, f"an existing folder or .gguf file, {', '.join(known)}, or a hub id")
    if not agent.backbone:
        raise complaint(layers, path, agent.backbone, allowed)


def _known(key: str, name: object, known: Sequence[str]) -> str:
    if name not in known:
        raise ConfigurationError(f"{key}: found {name!r}; allowed: {', '.join(known)}{nearest(str(name), known)}")
    return str(name)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return "none" if value is None else value
