"""A backbone: a frozen causal language model with its own tokenizer.

From the embedded fleet, a package, a folder, a GGUF file, or a hub id; never code from there, and never pickled weights.
"""

from __future__ import annotations

import inspect
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from huggingface_hub.constants import ENDPOINT
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers import logging as transformers_logging
from transformers.activations import FastGELUActivation, NewGELUActivation
from transformers.models.bloom.modeling_bloom import BloomGelu

from knexa.errors import ModelError
from knexa.learning.gguf import as_folder
from knexa.learning.hardware import Dtype, place, require_room
from knexa.learning.packaged import PREFIX, packaged_file
from knexa.paths import exists

ZOO = Path(__file__).parent / "zoo"
HUB_TIMEOUT_S = 5.0
EMBEDDED = ("qwen2", "gpt2", "bloom", "gpt-neox")
#: What a configuration calls the longest text that a model takes, by architecture.
_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
#: The frozen weights, as much again for the copy with an adapter folded in, and half as much for what is in work.
_COPIES = 2.5
#: A batch of training: 8 texts of 256 tokens, and for each token a logit for every word, twice, with its gradient in float32.
_BATCH_BYTES = 8 * 256 * 16

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class Backbone:
    """``family``: the architecture's name in transformers (``qwen2``, ``gpt2``, ``bloom``, ``gpt_neox``, ``llama``, …).

    ``context``: most tokens that prompt and answer may have together; None = no bound that it states.
    """

    name: str
    family: str
    model: torch.nn.Module
    tokenizer: Any
    context: int | None = None

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype


def locate(name: str) -> str:
    """Folder or hub id of a backbone as the configuration names it; a GGUF file is turned into a folder first. Raises ModelError."""
    if name.startswith(PREFIX):
        return str(as_folder(packaged_file(name), name))
    if name.endswith(".gguf"):
        if not exists(name) or not (file := Path(name).expanduser()).is_file():
            raise ModelError(f"backbone '{name}': there is no such file; pass the path of a GGUF file")
        return str(as_folder(file, name))
    if not name.startswith("embedded:"):
        return str(Path(name).expanduser()) if name.startswith("~") and exists(name) else name
    wanted = name.removeprefix("embedded:")
    if wanted not in EMBEDDED:
        raise ModelError(f"backbone '{name}' is not in the embedded fleet; allowed: {', '.join('embedded:' + e for e in EMBEDDED)}")
    return str(ZOO / wanted)


def load_backbone(name: str, device: str = "auto", dtype: Dtype = "auto") -> Backbone:
    """Load model and tokenizer, frozen. ``device``, ``dtype``: see :func:`~knexa.learning.hardware.place`.

    Raises ModelError, before anything large is loaded, for what is no causal language model and for one that memory has no room for.
    """
    where = locate(name)
    local = exists(where) or not _hub_answers()
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    try:
        about = AutoConfig.from_pretrained(where, **safe)
        parameters = _count(about)
        placement = place(device, dtype, parameters)
        batch = _BATCH_BYTES * int(getattr(about.get_text_config(), "vocab_size", 0))
        require_room(name, int(_COPIES * parameters * placement.dtype.itemsize) + batch, placement.device)
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left", **safe)
        model: Any = AutoModelForCausalLM.from_pretrained(where, dtype=placement.dtype, use_safetensors=True, **safe)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(_why_not(name, where, error)) from error
    _require_padding(name, tokenizer)
    model.requires_grad_(False)
    model.eval()
    fuse_activations(model)
    _require_causal(name, model)
    return Backbone(name, str(about.model_type), model.to(placement.device), tokenizer, _context(about))


def fuse_activations(model: torch.nn.Module) -> None:
    """GELU in its tanh form, which transformers spells out for GPT-2, BLOOM and their kin in some eight passes over memory, in one."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation | FastGELUActivation | BloomGelu):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


def _count(about: Any) -> int:
    """Parameters of the model that ``about`` describes, without making one. Raises ValueError if that is no causal language model."""
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(about)
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise ValueError(f"architecture {about.model_type} keeps no keys and values, which answers are generated with here")
    return sum(parameter.numel() for parameter in model.parameters())


def _context(about: Any) -> int | None:
    known = [getattr(about, key, None) for key in _CONTEXT]
    return next((int(value) for value in known if isinstance(value, int) and value > 0), None)


@torch.inference_mode()
def _require_causal(name: str, model: Any) -> None:
    """BERT and its kin pass for causal models in transformers; unless they are configured as decoders, a token hears of later ones."""
    if getattr(model.config, "is_decoder", True):
        return
    ids = torch.zeros(2, 8, dtype=torch.int64)
    ids[1, -1] = 1
    first, second = model(input_ids=ids).logits[:, :-1].float()
    if not torch.allclose(first, second, rtol=1e-3, atol=1e-3):
        raise ModelError(
            f"backbone '{name}' is no causal language model: in architecture {model.config.model_type} as it is configured "
            "tokens hear of later ones; choose a decoder"
        )


def _require_padding(name: str, tokenizer: Any) -> None:
    """Texts of a batch are padded; which token does it is no matter, since it is masked."""
    if tokenizer.eos_token_id is None:
        raise ModelError(f"backbone '{name}': its tokenizer has no end-of-text token, so its answers would have no end; choose another one")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token


def _why_not(name: str, where: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if exists(where):
        return (
            f"backbone '{name}' is no causal language model that transformers can load from safetensors ({reason}); choose another folder"
        )
    return (
        f"cannot load backbone '{name}': not a model folder, and no hub has it or is reachable ({reason}); "
        "pass 'embedded:NAME', 'package:NAME', a local folder, a .gguf file, or set HF_HOME to a cache that holds it"
    )


def _hub_answers() -> bool:
    """Whether the hub takes a connection. Asked once before loading, because its client retries for a minute before it gives up."""
    hub = urlsplit(ENDPOINT)
    try:
        with socket.create_connection((hub.hostname or "", hub.port or 443), timeout=HUB_TIMEOUT_S):
            return True
    except OSError:
        return False
