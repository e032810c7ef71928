"""``federation.toml``: typed, validated, with presets.

A configuration is frozen and complete: every default is written out into the run folder's ``config.toml``. Unknown keys
are errors, so that no option is ever silently ignored. Presets and strategies are plain overrides of these fields.
"""

from knexa.config.loading import CUSTOM, load_config, to_toml
from knexa.config.safety import HOSTILE, FaultConfig, GuardrailConfig, PrivacyConfig, Reaction, SandboxConfig
from knexa.config.section import Section
from knexa.config.sections import (
    EMBEDDED_BACKBONES,
    HUMAN_EVAL_MBPP,
    NOTES,
    AgentConfig,
    CentralConfig,
    DataConfig,
    DistillationConfig,
    EngineConfig,
    EvaluationConfig,
    FederationConfig,
    GenerationConfig,
    LocalConfig,
    MatchingConfig,
    ModelConfig,
    RewardConfig,
    TransportConfig,
    exchange_share,
    organisations,
)

__all__ = [
    "CUSTOM",
    "EMBEDDED_BACKBONES",
    "HOSTILE",
    "HUMAN_EVAL_MBPP",
    "NOTES",
    "AgentConfig",
    "CentralConfig",
    "DataConfig",
    "DistillationConfig",
    "EngineConfig",
    "EvaluationConfig",
    "FaultConfig",
    "FederationConfig",
    "GenerationConfig",
    "GuardrailConfig",
    "LocalConfig",
    "MatchingConfig",
    "ModelConfig",
    "PrivacyConfig",
    "Reaction",
    "RewardConfig",
    "SandboxConfig",
    "Section",
    "TransportConfig",
    "exchange_share",
    "load_config",
    "organisations",
    "to_toml",
]
