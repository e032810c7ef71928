"""A backbone: a frozen causal language model with its own tokenizer, from the embedded fleet, a folder or a hub id."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from huggingface_hub.constants import ENDPOINT
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers import logging as transformers_logging

from knexa.errors import ModelError

ZOO = Path(__file__).parent / "zoo"
HUB_TIMEOUT_S = 5.0
EMBEDDED = ("qwen2", "gpt2", "bloom", "gpt-neox")

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class Backbone:
    """``family``: the architecture's name in transformers (``qwen2``, ``gpt2``, ``bloom``, ``gpt_neox``, …)."""

    name: str
    family: str
    model: torch.nn.Module
    tokenizer: Any

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def locate(name: str) -> str:
    """Folder or hub id of a backbone as the configuration names it. ModelError for an embedded name that is none."""
    if not name.startswith("embedded:"):
        return name
    wanted = name.removeprefix("embedded:")
    if wanted not in EMBEDDED:
        raise ModelError(f"backbone '{name}' is not in the embedded fleet; allowed: {', '.join('embedded:' + e for e in EMBEDDED)}")
    return str(ZOO / wanted)


def load_backbone(name: str) -> Backbone:
    """Load model and tokenizer, frozen, in float32. Only safetensors, never code from the folder or hub."""
    where = locate(name)
    local = Path(where).exists() or not _hub_answers()
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left", trust_remote_code=False, local_files_only=local)
        model = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, trust_remote_code=False, use_safetensors=True, local_files_only=local
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"cannot load backbone '{name}': not a model folder, and no hub is reachable for it ({reason}); "
            "pass 'embedded:NAME', a local folder, or set HF_HOME to a cache that holds it"
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.requires_grad_(False)
    model.eval()
    return Backbone(name=name, family=str(model.config.model_type), model=model, tokenizer=tokenizer)


def _hub_answers() -> bool:
    """Whether the hub takes a connection. Asked once before loading, because its client retries for a minute before it gives up."""
    hub = urlsplit(ENDPOINT)
    try:
        with socket.create_connection((hub.hostname or "", hub.port or 443), timeout=HUB_TIMEOUT_S):
            return True
    except OSError:
        return False
