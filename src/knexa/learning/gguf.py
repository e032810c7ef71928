"""A GGUF file, as llama.cpp has them, made into a folder that loads like any other model.

Reading one takes transformers half a minute where a folder takes a second: its header is parsed value by value, several times over. So
the weights are turned into float32 once, and kept beside the models of the hub.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import struct
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from huggingface_hub.constants import HF_HOME
from transformers import AutoModelForCausalLM, AutoTokenizer

from knexa.errors import ModelError


def as_folder(file: Path, name: str) -> Path:
    """The folder of model and tokenizer that ``file`` holds, converted at the first call and kept under HF_HOME by content.

    ``name``: what the configuration calls it, for errors. Raises ModelError for what transformers cannot read.
    """
    if importlib.util.find_spec("gguf") is None:
        raise ModelError(f"backbone '{name}' is a GGUF file, and the package that reads those is missing; install knexa[gguf]")
    models = Path(HF_HOME) / "knexa"
    models.mkdir(parents=True, exist_ok=True)
    folder = models / _digest(file)
    with (models / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers would convert the same file beside this one
        if not folder.is_dir():
            _convert(file, name, folder)
    return folder


def _convert(file: Path, name: str, folder: Path) -> None:
    """Written aside and moved into place whole."""
    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    aside = Path(mkdtemp(dir=folder.parent))
    try:
        AutoTokenizer.from_pretrained(str(file.parent), **where).save_pretrained(aside)
        model: Any = AutoModelForCausalLM.from_pretrained(str(file.parent), dtype=torch.float32, **where)
        # What was read is quantised no more; transformers would refuse to write a model that says it is.
        model.hf_quantizer = None
        del model.config.quantization_config
        model.save_pretrained(aside)
        os.replace(aside, folder)
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, ImportError, struct.error) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise ModelError(f"backbone '{name}': {file} cannot be read as a GGUF model ({_first_line(error)})") from error


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:32]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
