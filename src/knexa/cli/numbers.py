"""Numbers of the command line that are none."""

from __future__ import annotations

import math

import typer

from knexa.errors import ConfigurationError


def finite(option: typer.CallbackParam, value: float | None) -> float | None:
    """The callback of an option that takes a float without an upper bound. Raises ConfigurationError for NaN and infinity."""
    if value is not None and not math.isfinite(value):
        raise ConfigurationError(f"{option.opts[0]}: found {value:g}; allowed: a finite number")
    return value
