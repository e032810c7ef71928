"""KNEXA: federated fine-tuning of LLMs without an aggregator (method: arXiv 2601.17133)."""

from __future__ import annotations

from typing import Any

__all__ = ["Federation", "Result", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the simulator when it is first asked for: ``import knexa`` alone stays light."""
    if name in ("Federation", "Result"):
        from knexa.simulation import federation

        return getattr(federation, name)
    raise AttributeError(f"module 'knexa' has no attribute {name!r}")
