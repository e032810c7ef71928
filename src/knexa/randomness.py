"""Randomness as an argument: every random stream is named, and derived from the seed and that name alone.

A stream belongs to a place in the run (``"agent-1", "round", 3, "teach"``), never to an object's history. So two engines
that do the same work in another order draw the same numbers, and a resumed run needs no saved generator states.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *name: str | int) -> int:
    """A 63-bit seed for the stream ``name`` under the run's ``seed`` (SHA-256 of both; stable across platforms)."""
    text = "\x1f".join([str(seed), *map(str, name)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """A fresh NumPy generator for the stream ``name``; equal arguments give equal numbers."""
    return np.random.default_rng(derive_seed(seed, *name))
