"""What each key of the configuration allows, in words: for error messages, ``knexa new`` and ``docs/configuration.md``."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_BOUNDS = {annotated_types.Ge: ("ge", "of at least"), annotated_types.Gt: ("gt", "above")}
_UPPER = {annotated_types.Le: ("le", "at most"), annotated_types.Lt: ("lt", "below")}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One key. ``key``: dotted, list items as ``*``. ``default`` is None where the key must be given or has no value."""

    key: str
    allowed: str
    default: Any
    required: bool
    description: str


def rules(model: type[BaseModel], prefix: str = "") -> Iterator[FieldRule]:
    """Every leaf key of ``model``, in the order of its fields; tables inside it are followed, ``agents`` as ``agents.*``."""
    for name, field in model.model_fields.items():
        inner = _table(field.annotation)
        if inner is None:
            default = None if field.is_required() else field.get_default()
            yield FieldRule(prefix + name, allowed(field), default, field.is_required(), field.description or "")
        else:
            yield from rules(inner, f"{prefix}{name}." + ("*." if get_origin(field.annotation) is tuple else ""))


def rule_for(model: type[BaseModel], path: Sequence[str | int]) -> FieldRule | None:
    """The rule of the key at ``path``; an index into a list of values belongs to the list. None: ``path`` is a table."""
    generic = ["*" if isinstance(part, int) else part for part in path]
    keys = {rule.key: rule for rule in rules(model)}
    return keys.get(".".join(generic)) or keys.get(".".join(part for part in generic if part != "*"))


def allowed(field: FieldInfo) -> str:
    """Type and bounds of a leaf in words, such as ``a whole number of at least 1, or "none"``."""
    text = _type_words(field.annotation)
    bounds = [(words, getattr(bound, attribute)) for bound in field.metadata for attribute, words in _bound(bound)]
    for index, (words, value) in enumerate(bounds):
        text += f"{' and' if index else ''} {words} {value}"
    for constraint in field.metadata:
        if pattern := getattr(constraint, "pattern", None):
            text += f" of the form {pattern}"
    return text + (', or "none"' if type(None) in get_args(field.annotation) else "")


def nearest(word: str, known: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the known word nearest to ``word``, or an empty string when none is near."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def _bound(constraint: object) -> Iterator[tuple[str, str]]:
    for kind, (attribute, words) in (*_BOUNDS.items(), *_UPPER.items()):
        if isinstance(constraint, kind):
            yield attribute, words


def _table(annotation: object) -> type[BaseModel] | None:
    """The model behind a table or an array of tables, else None."""
    candidates = get_args(annotation) if get_origin(annotation) is tuple else (annotation,)
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type_words(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        words = _type_words(inner)
        return f"a list of {words}" if get_origin(inner) is Literal else f"a list of {words.removeprefix('a ')}s"
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union:
        return " or ".join(_type_words(part) for part in get_args(annotation) if part is not type(None))
    return _TYPES[annotation] if isinstance(annotation, type) and annotation in _TYPES else str(annotation)
