"""``federation.toml``: typed, validated, with presets.

A configuration is frozen and complete: every default is written out into the run folder's ``config.toml``. Unknown keys
are errors, so that no option is ever silently ignored. Presets and strategies are plain overrides of these fields.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(Section):
    """Which problems, and how private data is spread over the agents."""

    problems: str = Field("embedded", description="'embedded' (the shipped bank) or a path to a .jsonl file of problems")
    alpha: float = Field(0.1, gt=0, description="Dirichlet concentration per category over agents; small = non-IID")
    private: int = Field(900, ge=1, description="problems of the private pool shared out over all agents")
    minimum: int = Field(60, ge=1, description="fewest private problems an agent may get; the draw is repeated until it holds")


class AgentConfig(Section):
    """One participant."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    backbone: str = Field(description="'embedded:NAME', a folder, or a hub id")
    behaviour: Literal["honest", "lazy", "weak"] = Field("honest", description="lazy: teaches empty bodies; weak: never trains locally")


class LocalConfig(Section):
    """Phase 1, the local update. Steps are optimiser steps."""

    learning_rate: float = Field(3e-3, gt=0)
    first_steps: int = Field(60, ge=0, description="steps in round 1")
    steps: int = Field(4, ge=0, description="steps in every later round")
    batch_size: int = Field(16, ge=1)
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    warmup: float = Field(0.02, ge=0, le=1, description="share of all steps with linear warm-up")
    trainable_share: float = Field(0.03, gt=0, le=0.5, description="LoRA rank is chosen to train about this share of parameters")


class DistillationConfig(Section):
    """Phase 3, adaptive knowledge distillation (Eq. 2) and what we add to it."""

    learning_rate: float = Field(3e-3, gt=0)
    steps: int = Field(16, ge=0, description="optimiser steps for one exchange")
    prompts: int = Field(32, ge=1, description="prompt budget of one exchange")
    alpha_start: float = Field(0.2, ge=0, le=1)
    alpha_end: float = Field(0.5, ge=0, le=1)
    verify: bool = Field(True, description="keep only teacher texts that pass the transfer set's public tests")
    memory: bool = Field(True, description="replay all verified texts ever received in every distillation")
    rollback: float = Field(1.0, ge=0, description="undo an exchange that raises the student's validation loss by more nats than this")


class MatchingConfig(Section):
    """Phase 2, who teaches whom, and what."""

    matchmaker: str = Field("knexa", description="knexa, random, heuristic, local, oracle or module:object")
    context: Literal["concat", "gap"] = "gap"
    pairing: Literal["greedy", "optimal"] = "optimal"
    pairs: int | None = Field(None, ge=1, description="most pairs a round; None = as many as fit")
    exploration: float = Field(0.5, ge=0, description="beta of LinUCB")
    ridge: float = Field(1.0, gt=0, description="lambda of LinUCB")
    curriculum: bool = Field(True, description="a match also says how the prompt budget is spread over categories")
    probe: bool = Field(True, description="profiles carry the public-probe and coverage blocks (12 + 12 numbers)")
    log_candidates: bool = Field(True, description="log every candidate's context, for replay")


class RewardConfig(Section):
    """Phase 4, Eq. 3: gamma * (loss before - loss after) - delta * kilobytes."""

    gamma: float = Field(1.0, gt=0)
    delta: float = Field(0.001, ge=0, description="price of one kilobyte")
    clip: float = Field(1.0, gt=0, description="rewards are clipped to [-clip, clip] before z-scoring")
    measure: Literal["validation", "probe", "blend"] = "probe"


class GenerationConfig(Section):
    max_new_tokens: int = Field(64, ge=1)
    teaching_temperature: float = Field(0.0, ge=0, description="0 = greedy")


class EvaluationConfig(Section):
    samples: int = Field(10, ge=1, description="n of Pass@k")
    temperature: float = Field(0.8, gt=0)
    k: tuple[int, ...] = (1, 5, 10)
    problems: int | None = Field(None, ge=1, description="evaluate on the first this many test problems; None = all")
    curve: bool = Field(True, description="greedy Pass@1 on the validation split after every round")


class SandboxConfig(Section):
    backend: Literal["auto", "bubblewrap", "landlock"] = "auto"
    timeout_s: float = Field(2.0, gt=0)
    memory_mb: int = Field(256, ge=32)


class TransportConfig(Section):
    """Virtual network of the simulation, seeded."""

    delay_s: float = Field(0.05, ge=0, description="mean one-way delay, exponentially distributed")
    loss: float = Field(0.0, ge=0, lt=1, description="probability that a message is lost")
    deadline_s: float = Field(3600.0, gt=0, description="a phase waits at most this long for its slowest participant")


class EngineConfig(Section):
    kind: Literal["serial", "processes"] = "processes"
    workers: int = Field(2, ge=1)
    threads: int = Field(1, ge=1, description="torch threads in each worker")


class FederationConfig(Section):
    """A whole federation. ``strategy`` names what was asked for; the sections below hold what it resolved to."""

    seed: int = Field(42, ge=0)
    rounds: int = Field(20, ge=1)
    strategy: str = "knexa"
    agents: tuple[AgentConfig, ...] = Field(min_length=2)
    data: DataConfig = DataConfig()
    local: LocalConfig = LocalConfig()
    distillation: DistillationConfig = DistillationConfig()
    matching: MatchingConfig = MatchingConfig()
    reward: RewardConfig = RewardConfig()
    generation: GenerationConfig = GenerationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    sandbox: SandboxConfig = SandboxConfig()
    transport: TransportConfig = TransportConfig()
    engine: EngineConfig = EngineConfig()
