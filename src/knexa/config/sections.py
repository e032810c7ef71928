"""Every section and key of ``federation.toml``: its type, range, default and meaning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from knexa.config.safety import FaultConfig, GuardrailConfig, PrivacyConfig, SandboxConfig
from knexa.config.section import Section

#: Backbones that the package ships, named ``embedded:NAME`` in the configuration.
EMBEDDED_BACKBONES = ("qwen2", "gpt2", "bloom", "gpt-neox")

#: Backbones that packages of the Python index carry, named ``package:NAME``.
PACKAGED_BACKBONES = ("smollm2-135m", "gemma3-270m")

#: The shipped texts without tests and the paper's programming tasks, as ``data.problems`` names them.
NOTES, HUMAN_EVAL_MBPP = "notes", "human-eval+mbpp"

#: Matchmakers named without ``module:object``.
MATCHMAKERS = ("knexa", "random", "heuristic", "local", "fedskd", "gossip", "oracle")


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
    minimum: int = Field(
        60, ge=2, description="fewest private problems an agent may get, one of them held out; the draw is repeated until it holds"
    )
    canaries: int = Field(
        0, ge=0, description="texts with a secret planted in each agent's private data, to measure leaks (knexa audit leak)"
    )
    canary_repeats: tuple[int, ...] = Field((1, 4, 16), min_length=1, description="how often they stand there, one after the other")
    pooled: bool = Field(False, description="every agent trains on the private data of all: an upper bound, in a simulation only")


class AgentConfig(Section):
    """One participant."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$", description="who it is, in the record and in its certificate")
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
        description="how it exchanges knowledge; logits and adapter need a partner whose backbone has the same name",
    )
    refuses: tuple[str, ...] = Field((), description="agents that it neither teaches nor learns from")
    lessons: int | None = Field(None, ge=0, description="most exchanges in which it teaches; None = no bound")
    kilobytes: float | None = Field(None, ge=0, description="it learns no more once it has received so many; None = no bound")


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

    learning_rate: float = Field(4e-3, gt=0, description="of AdamW in local updates")
    first_steps: int = Field(80, ge=0, description="steps in round 1")
    steps: int = Field(4, ge=0, description="steps in every later round")
    batch_size: int = Field(8, ge=1, description="private texts in a batch")
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    warmup: float = Field(0.02, ge=0, le=1, description="share of all steps with linear warm-up")
    trainable_share: float = Field(0.03, gt=0, le=0.5, description="LoRA rank is chosen to train about this share of parameters")


class DistillationConfig(Section):
    """Phase 3, adaptive knowledge distillation (Eq. 2) and what we add to it."""

    learning_rate: float = Field(1.5e-3, gt=0, description="of AdamW in distillation")
    steps: int = Field(16, ge=0, description="optimiser steps for one exchange")
    batch_size: int = Field(8, ge=1, description="teacher's texts in a batch")
    own_batch_size: int = Field(4, ge=1, description="private texts beside them, which keep the student from forgetting")
    prompts: int = Field(128, ge=1, description="prompt budget of one exchange; 128 = the whole transfer set, as in Eq. 2")
    temperature: float = Field(2.0, gt=0, description="softens both distributions of a logits exchange (the paper: 1.5 to 2.5)")
    top_logits: int = Field(8, ge=1, description="most likely tokens that a logits exchange carries for every token of an answer")
    alpha: Literal["schedule", "need"] = Field(
        "schedule", description="how it goes from alpha_start to alpha_end: with the rounds, or with how much there is to learn from peers"
    )
    alpha_start: float = Field(0.2, ge=0, le=1, description="weight of taught texts in the loss of Eq. 2 at first; own texts have the rest")
    alpha_end: float = Field(0.5, ge=0, le=1, description="the same in the end")
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
    acceptance: float | None = Field(
        0.02, ge=0, description="undo an exchange that raises the student's loss on the public probe by more nats than this; None = never"
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
    pairing: Literal["greedy", "optimal"] = Field(
        "optimal",
        description="how disjoint pairs are chosen; above 400 agents greedy, unless contexts, fairness or terms need all pairs at once",
    )
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
        False,
        description="a teacher is asked only in categories where it does better on the probe than its student; needs matching.curriculum "
        "and matching.probe",
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

    gamma: float = Field(1.0, gt=0, description="worth of one nat that the loss falls by")
    delta: float = Field(0.001, ge=0, description="price of one kilobyte")
    clip: float = Field(1.0, gt=0, description="rewards are clipped to [-clip, clip] before z-scoring")
    scale: Literal["moments", "robust"] = Field(
        "robust", description="z-score by running mean and deviation (the paper), or by median and median absolute deviation"
    )
    measure: Literal["validation", "probe", "blend"] = Field(
        "probe", description="whose loss: the student's own held-out data (the paper), the public probe, or the mean of both"
    )


class GenerationConfig(Section):
    max_new_tokens: int = Field(64, ge=1, description="longest answer; at most half of what a model reads")
    teaching_temperature: float = Field(0.0, ge=0, description="0 = greedy")
    candidate_temperature: float = Field(0.6, gt=0, description="of all but the first of several candidates for a prompt")


class EvaluationConfig(Section):
    samples: int = Field(10, ge=1, description="n of Pass@k")
    temperature: float = Field(0.4, gt=0, description="at which they are drawn")
    k: tuple[int, ...] = Field((1, 5, 10), description="which Pass@k; each at most samples")
    problems: int | None = Field(None, ge=1, description="evaluate on so many test problems, spread over the split; None = all")
    curve_every: int = Field(10, ge=0, description="greedy Pass@1 on the validation split after every so many rounds; 0 = never")


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
    kind: Literal["serial", "processes"] = Field("processes", description="serial: all work in this process; the record is the same")
    workers: int = Field(2, ge=1, description="processes that work at once; each holds its backbones")
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

    seed: int = Field(42, ge=0, description="the one source of randomness")
    rounds: int = Field(20, ge=1, description="number of rounds")
    strategy: str = Field("knexa", description="what is run; see above")
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
    guardrail: GuardrailConfig = GuardrailConfig()
    sandbox: SandboxConfig = SandboxConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    faults: tuple[FaultConfig, ...] = ()
    transport: TransportConfig = TransportConfig()
    engine: EngineConfig = EngineConfig()


def organisations(config: FederationConfig) -> dict[str, str]:
    """The organisation of each agent, by names; an agent that names none is one of its own."""
    return {agent.name: agent.organisation or agent.name for agent in config.agents}


def exchange_share(config: FederationConfig) -> float:
    """Expected share of agents that are students in a round: pairs over agents."""
    most = len(config.agents) // 2
    return min(config.matching.pairs or most, most) / len(config.agents)
