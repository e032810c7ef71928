"""What an agent tells the coordinator about itself: numbers under a closed schema, and nothing else.

The paper's profile has 32 numbers (Sec. "Agent profiles"): 8 for the backbone's family, 12 recent local metrics with their
changes, 12 for the histogram of local data over problem categories. Two further blocks of 12 are ours: the score per
category on the public probe, and the share of the public transfer prompts for which the agent already holds a verified
text. Both are all zeros where the extension is off.

A profile comes from another organisation, so :meth:`Profile.from_dict` is the one gate: past it, numbers are trusted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knexa.errors import PeerError

#: Number of problem categories: the length of every per-category block.
CATEGORY_COUNT = 12

FAMILIES = ("qwen2", "gpt2", "bloom", "gpt_neox", "llama", "mistral", "gemma", "other")

_MEASURED = ("pass@1", "codebleu", "perplexity", "loss", "train_loss", "syntax_ok")

#: Names of the 12 metrics, in order: six on local validation data, then the change of each since the last round.
METRICS = (*_MEASURED, *(f"{name}_change" for name in _MEASURED))

#: Largest magnitude of a metric. An agent cuts its perplexity to it before it reports.
METRIC_BOUND = 1e4

SCHEMA = 1

_KEYS = ("agent", "round", "family", "metrics", "histogram", "probe", "coverage", "schema")
_AGENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Profile:
    """One agent at the start of one round.

    ``family``: one-hot over :data:`FAMILIES`. ``metrics``: in the order of :data:`METRICS`, each within
    ±:data:`METRIC_BOUND`; losses in nats a token, shares in [0, 1]. ``histogram``: shares of the private training data by
    category, sums to 1. ``probe``: how able it is per category on the public probe, in [0, 1]: Pass@1, or for texts without
    tests the probability of a right token. ``coverage``: share of the transfer prompts of a category for which it holds a text, in [0, 1].
    """

    agent: str
    round: int
    family: tuple[float, ...]
    metrics: tuple[float, ...]
    histogram: tuple[float, ...]
    probe: tuple[float, ...] = (0.0,) * CATEGORY_COUNT
    coverage: tuple[float, ...] = (0.0,) * CATEGORY_COUNT
    schema: int = SCHEMA

    def vector(self) -> NDArray[np.float64]:
        """The paper's 32 numbers: family, metrics, histogram."""
        return np.array(self.family + self.metrics + self.histogram, dtype=np.float64)

    def metric(self, name: str) -> float:
        """The metric called ``name`` in :data:`METRICS`."""
        return self.metrics[METRICS.index(name)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; :meth:`from_dict` gives the same profile back."""
        fields: dict[str, Any] = {key: getattr(self, key) for key in _KEYS}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Profile:
        """Read a profile that somebody else sent. Raises PeerError naming the first field that breaks the schema."""
        agent = _checked_names(fields)
        family = _numbers(agent, "family", fields["family"], len(FAMILIES), 0.0, 1.0)
        if sorted(family) != [0.0] * (len(FAMILIES) - 1) + [1.0]:
            raise PeerError(f"profile of {agent!r}: family must be one-hot: a single 1 among {len(FAMILIES)} numbers, the rest 0")
        histogram = _numbers(agent, "histogram", fields["histogram"], CATEGORY_COUNT, 0.0, 1.0)
        if abs(math.fsum(histogram) - 1.0) > _SUM_TOLERANCE:
            raise PeerError(f"profile of {agent!r}: histogram must sum to 1, it sums to {math.fsum(histogram):.6g}")
        return cls(
            agent=agent,
            round=_round(agent, fields["round"]),
            family=family,
            metrics=_numbers(agent, "metrics", fields["metrics"], len(METRICS), -METRIC_BOUND, METRIC_BOUND),
            histogram=histogram,
            probe=_numbers(agent, "probe", fields["probe"], CATEGORY_COUNT, 0.0, 1.0),
            coverage=_numbers(agent, "coverage", fields["coverage"], CATEGORY_COUNT, 0.0, 1.0),
        )


def family_block(family: str) -> tuple[float, ...]:
    """One-hot block of a backbone family; a name outside :data:`FAMILIES` counts as ``"other"``."""
    known = family if family in FAMILIES else "other"
    return tuple(float(name == known) for name in FAMILIES)


def _checked_names(fields: Mapping[str, Any]) -> str:
    """The agent's name, after checking that the keys are exactly those of the schema."""
    if not isinstance(fields, Mapping):
        raise PeerError(f"a profile must be a mapping of fields, not {type(fields).__name__}")
    for problem, keys in (("lacks", set(_KEYS) - set(fields)), ("has unknown", {str(key) for key in fields} - set(_KEYS))):
        if keys:
            raise PeerError(f"a profile {problem} {', '.join(sorted(keys))}; schema {SCHEMA} has exactly: {', '.join(_KEYS)}")
    agent, schema = fields["agent"], fields["schema"]
    if not isinstance(agent, str) or not _AGENT_NAME.fullmatch(agent):
        raise PeerError(f"a profile's agent must be a name of at most 31 letters a-z, digits and '-', not {_shown(agent)}")
    if type(schema) is not int or schema != SCHEMA:
        raise PeerError(f"profile of {agent!r}: schema must be {SCHEMA}, not {_shown(schema)}; run the same version of knexa on both sides")
    return agent


def _round(agent: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise PeerError(f"profile of {agent!r}: round must be a whole number from 0 to 2**31 - 1, not {_shown(value)}")
    return value


def _numbers(agent: str, field: str, values: Any, length: int, low: float, high: float) -> tuple[float, ...]:
    """``values`` as a tuple of ``length`` finite numbers in [low, high]; PeerError otherwise."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or len(values) != length:
        raise PeerError(f"profile of {agent!r}: {field} must be a list of {length} numbers")
    for position, value in enumerate(values):
        # The comparison is false for NaN as well; bool is an int in Python, but no number of ours.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise PeerError(f"profile of {agent!r}: {field}[{position}] must be a number in [{low:g}, {high:g}], not {_shown(value)}")
    return tuple(float(value) for value in values)


def _shown(value: Any) -> str:
    """``value`` for an error message: short, and never a failure itself (Python refuses to print a very long integer)."""
    if isinstance(value, str):
        return repr(value[:40])
    small = isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
    return str(value) if small else f"a value of type {type(value).__name__}"
