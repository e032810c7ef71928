"""Sections about what guards agents from each other, and about agents that they have to be guarded from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from knexa.config.section import Section

#: What becomes of a text in which a rule has found something.
Reaction = Literal["pass", "redact", "quarantine", "block"]


class GuardrailConfig(Section):
    """What of an agent's texts may leave it, and what of others' it takes in. An agent's own policy file may say otherwise for itself."""

    outgoing: bool = Field(True, description="review every text before it leaves")
    incoming: bool = Field(True, description="review every text that comes in before anything is done with it")
    secrets: Reaction = Field("block", description="keys, tokens, passwords, also encoded or split ones")
    personal: Reaction = Field("redact", description="e-mail addresses, phone, card, account and identity numbers, postal addresses")
    licences: Reaction = Field("block", description="headers of licences and copyright notices")
    private: Reaction = Field("block", description="near-verbatim text of the agent's own private data")
    private_tokens: int = Field(
        24, ge=4, description="tokens in a row that make a text near-verbatim private, unless public data hold them"
    )
    canaries: Reaction = Field("block", description="texts planted in private data to be noticed when they leave")
    sier: float = Field(
        0.02, ge=0, le=1, description="largest share of sensitive tokens in what leaves; texts with the most of them stay until it holds"
    )
    canary_file: str | None = Field(None, description="file of planted texts, one a line")
    plug: str | None = Field(None, description="a guardrail of your own beside ours, module:object; the stricter of the two wins")


class SandboxConfig(Section):
    """Where programs that models write are run."""

    backend: Literal["auto", "bubblewrap", "landlock"] = Field(
        "auto", description="auto: bubblewrap where it works, else Landlock and seccomp"
    )
    timeout_s: float = Field(2.0, gt=0, description="processor time, in seconds, that one program may take")
    memory_mb: int = Field(256, ge=32, description="memory that one program may take")


class PrivacyConfig(Section):
    """Differential privacy of what an agent tells of its data in numbers (``epsilon``), and of its adapter (``sgd_noise``). Both off."""

    epsilon: float | None = Field(
        None,
        ge=0.001,
        description="spent by all profiles of an agent in a run; needs reward.measure = 'probe' and distillation.rollback = none, since "
        "what is told beside profiles would tell of private data too; None = profiles are exact",
    )
    histogram: float = Field(0.3, ge=0.01, le=0.99, description="share of epsilon for the histogram of categories, which is released once")
    metrics_every: int = Field(10, ge=1, description="rounds from one release of metrics to the next; they are repeated in between")
    sgd_noise: float = Field(
        0.0,
        ge=0,
        description="of DP-SGD on local updates: deviation of the noise over sgd_clip; 0 = plain updates. Nothing else then trains "
        "on private texts: distillation goes without them",
    )
    sgd_clip: float = Field(1.0, gt=0, description="largest norm of one text's gradient")
    sgd_epsilon: float | None = Field(
        None, gt=0, description="refuse to start if local updates would spend more than this; None = no bound"
    )
    delta: float = Field(1e-5, gt=0, lt=1, description="of what DP-SGD spends; less than one over the number of texts")
    noise: Literal["seeded", "system"] = Field("seeded", description="where it is drawn from; a real agent always takes its system's")


class FaultConfig(Section):
    """Agents that do not do as they should, in a simulation only. Several faults of an agent hold together."""

    kind: Literal["poisoned", "backdoored", "lazy", "weak", "copycat", "lying"] = Field(
        description="poisoned: teaches wrong programs; backdoored: ones with a hidden branch; lazy: empty bodies; weak: never trains; "
        "copycat: never trains, and passes on what it was taught; lying: reports the opposite of what happened, at its most extreme"
    )
    agents: tuple[str, ...] = Field((), description="whom it concerns; or share instead")
    share: float | None = Field(None, gt=0, le=1, description="of all agents, drawn by the seed; the resolved file names them")
    from_round: int = Field(1, ge=1, description="honest before")
    until_round: int | None = Field(None, ge=1, description="honest again after; None = to the end")
    strength: Literal["mutated", "overfitted"] = Field(
        "mutated", description="of poison. mutated: its own answers with one error; overfitted: right for the public tests alone"
    )

    def holds(self, round: int) -> bool:
        return self.from_round <= round and (self.until_round is None or round <= self.until_round)


#: Faults of an agent that means harm; the others harm by being of no use.
HOSTILE = ("poisoned", "backdoored", "copycat", "lying")
