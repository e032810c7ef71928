"""What two agents exchange, and what they let out and in."""

from __future__ import annotations

from typing import Any

__all__ = ["Guardrail", "IncomingFilter"]


def __getattr__(name: str) -> Any:
    """Load the guardrail when it is first asked for: ``import knexa.exchange`` alone stays light."""
    if name in __all__:
        from knexa.exchange import guardrail

        return getattr(guardrail, name)
    raise AttributeError(f"module 'knexa.exchange' has no attribute {name!r}")
