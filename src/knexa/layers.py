"""Layers of configuration (preset, file, strategy, ``--set``, flags): merging them, and naming the layer that is at fault.

Every mistake becomes one sentence: the key as the user wrote it, what was found there, and what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from knexa.errors import ConfigurationError
from knexa.field_rules import nearest, rule_for, rules

KeyPath = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Layer:
    """Nested keys from one place. ``label`` says where; ``keyed``: false where the label names its only key (a flag)."""

    label: str
    data: dict[str, Any] = field(default_factory=dict)
    keyed: bool = True

    def name(self, path: KeyPath) -> str:
        return f"{self.label} {'.'.join(map(str, path))}" if self.keyed else self.label

    def holds(self, path: KeyPath) -> bool:
        node: Any = self.data
        for part in path:
            if isinstance(node, Mapping) and str(part) in node:
                node = node[str(part)]
            elif isinstance(node, list) and isinstance(part, int) and part < len(node):
                node = node[part]
            else:
                return False
        return True


def file_layer(path: Path, instead: str = "pass a federation.toml, `knexa new NAME` writes one") -> Layer:
    """The TOML file at ``path``. ``instead``: what to do if it cannot be read. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or ("not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error))
        raise ConfigurationError(f"{path}: cannot be read ({reason}); {instead}") from error
    try:
        return Layer(f"{path}: key", tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # numbers of too many digits and deep nesting, too
        raise ConfigurationError(f"{path}: not valid TOML: {error}; texts need quotes, lists are [a, b], tables are [name]") from error


def set_layers(assignments: Sequence[str]) -> list[Layer]:
    """One layer for each ``a.b=value`` of ``--set``; the value is TOML, or a bare text where it is no TOML."""
    layers = []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise ConfigurationError(f"--set: found {assignment!r}; allowed: KEY=VALUE with a dotted key, such as --set local.steps=8")
        layers.append(Layer("--set", nest(parts, _toml_value(text.strip()))))
    return layers


def nest(parts: Sequence[str], value: Any) -> dict[str, Any]:
    """``["a", "b"], v`` to ``{"a": {"b": v}}``."""
    for part in reversed(parts):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    """Later layers win; tables are merged key by key, lists replaced, list items changed by number (``agents.0.name``)."""
    merged: Any = {}
    for layer in layers:
        merged = _overlay(merged, layer.data)
    return dict(merged)


def explain(model: type[BaseModel], layers: Sequence[Layer], error: ValidationError) -> ConfigurationError:
    """The first mistake in one sentence, and how many more there are."""
    first, *more = error.errors(include_url=False)
    text = _sentence(model, layers, first)
    return ConfigurationError(text + (f" (and {len(more)} more)" if more else ""))


def complaint(layers: Sequence[Layer], path: KeyPath, found: object, allowed: str) -> ConfigurationError:
    """A ConfigurationError for the value ``found`` at ``path``, named as in the last layer that holds it."""
    return ConfigurationError(f"{_origin(layers, path)}: found {preview(found)}; allowed: {allowed}")


def preview(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a table of thousands in one another
        text = "something too large to show"
    return text if len(text) <= 60 else text[:57] + "..."


def _sentence(model: type[BaseModel], layers: Sequence[Layer], error: ErrorDetails) -> str:
    path = error["loc"]
    origin = _origin(layers, path)
    rule = rule_for(model, path)
    if error["type"] == "extra_forbidden":
        return f"{origin}: unknown key{_suggestion(model, path)}"
    if error["type"] == "missing":
        return f"{origin}: missing; allowed: {rule.allowed if rule else 'a table'}"
    if rule is None:
        return f"{origin}: found {preview(error['input'])}; allowed: {_table_words(model, path, error)}"
    return f"{origin}: found {preview(error['input'])}; allowed: {rule.allowed}" + (f" ({rule.description})" if rule.description else "")


def _table_words(model: type[BaseModel], path: KeyPath, error: ErrorDetails) -> str:
    prefix = ".".join("*" if isinstance(part, int) else part for part in path) + "."
    keys = [rule.key.removeprefix(prefix).removeprefix("*.") for rule in rules(model) if rule.key.startswith(prefix)]
    if error["type"] == "too_short":
        return f"at least {error['ctx']['min_length']} of them, each a [[{path[0]}]] table"
    if error["type"] in ("tuple_type", "list_type"):
        return f"a list of [[{path[0]}]] tables, with items numbered from 0"
    return f"a table with keys of {', '.join(keys)}"


def _suggestion(model: type[BaseModel], path: KeyPath) -> str:
    """The nearest key of the same table, else the nearest anywhere; always the keys that the table allows."""
    *table, _ = ["*" if isinstance(part, int) else part for part in path]
    prefix = "".join(f"{part}." for part in table)
    siblings = [rule.key.removeprefix(prefix).split(".")[0] for rule in rules(model) if rule.key.startswith(prefix)]
    allowed = list(dict.fromkeys(siblings))
    last = str(path[-1])
    hint = nearest(last, allowed) or nearest(last, [rule.key.rsplit(".")[-1] for rule in rules(model)])
    return f"{hint or ';'} allowed: {', '.join(allowed)}"


def _origin(layers: Sequence[Layer], path: KeyPath) -> str:
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if layer.holds(path[:length]):
                return layer.name(path)
    return ".".join(map(str, path))


def _overlay(base: Any, over: Any) -> Any:
    if isinstance(over, Mapping) and isinstance(base, Mapping):
        return {**base, **{key: _overlay(base.get(key), value) for key, value in over.items()}}
    if isinstance(over, Mapping) and isinstance(base, list) and set(over) <= {str(index) for index in range(len(base))}:
        return [_overlay(item, over[str(index)]) if str(index) in over else item for index, item in enumerate(base)]
    return over


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
