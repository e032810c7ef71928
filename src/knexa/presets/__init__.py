"""Shipped configurations: each ``NAME.toml`` beside this file is a preset."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

DEFAULT_PRESET = "quickstart"


def preset_names() -> tuple[str, ...]:
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def read_preset(name: str) -> dict[str, Any]:
    """The keys that a preset sets, nested as in its file. ``name`` is one of :func:`preset_names`."""
    return tomllib.loads((resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))
