"""One's own texts as JSON lines: a prompt and its completion, or a chat, with tests or without.

A row is ``{"prompt": …, "completion": …}`` or ``{"messages": [{"role": …, "content": …}, …]}``; beside that it may name its ``category``
and, if it is no chat and the completion is a Python function's body, ``test`` and ``entry_point`` as in HumanEval's form. The last
message of a chat must be the assistant's: it is the completion. The messages before it become the prompt, the same plain text for every
model, whatever its own chat template: ``role: content``, a line each, and ``assistant:`` at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from knexa.errors import ConfigurationError
from knexa.evaluation.problems import Problem
from knexa.evaluation.testable import require_testable

KEYS = ("prompt", "completion", "messages", "category", "test", "entry_point")
ROLES = ("system", "user", "assistant")


def is_text(row: Mapping[str, Any]) -> bool:
    """Whether ``row`` is meant to be in this form."""
    return "completion" in row or "messages" in row


def text_problems(name: str, rows: Iterable[tuple[int, Mapping[str, Any]]], category: str) -> list[Problem]:
    """Problems of numbered rows; ``category`` is that of a row which names none. Raises ConfigurationError with file, line and key."""
    return [_problem(f"{name}, line {number}", number, row, category) for number, row in rows]


def _problem(place: str, number: int, row: Mapping[str, Any], category: str) -> Problem:
    for key in row:
        if key not in KEYS:
            raise ConfigurationError(f"{place}: unknown key {key!r}; allowed: {', '.join(KEYS)}")
    if ("messages" in row) == ("prompt" in row or "completion" in row):
        raise ConfigurationError(f"{place}: either 'prompt' and 'completion' or 'messages' is needed")
    if ("test" in row) != ("entry_point" in row):
        raise ConfigurationError(f"{place}: 'test' and 'entry_point' go together; give both or neither")
    if "test" in row and "messages" in row:
        raise ConfigurationError(f"{place}: 'test' is for a 'prompt' with its 'completion', no chat is a program; leave it out")
    prompt, completion = (
        _chat(place, row["messages"]) if "messages" in row else (_text(place, row, "prompt"), _text(place, row, "completion"))
    )
    test, entry_point = (_text(place, row, key) if key in row else "" for key in ("test", "entry_point"))
    named = _text(place, row, "category").strip() if "category" in row else category
    prompt = prompt if prompt[-1:].isspace() else prompt + "\n"
    problem = Problem(f"row/{number}", named, prompt, completion, test, entry_point)
    if problem.runnable:
        require_testable(place, problem)
    return problem


def _chat(place: str, messages: Any) -> tuple[str, str]:
    """Prompt and completion of a chat."""
    if not isinstance(messages, list) or len(messages) < 2:
        raise ConfigurationError(f"{place}: 'messages' must be a list of at least two messages, the last of them the assistant's")
    turns = []
    for message in messages:
        if not isinstance(message, dict) or set(message) != {"role", "content"} or message["role"] not in ROLES:
            raise ConfigurationError(f"{place}: a message has 'role' ({', '.join(ROLES)}) and 'content' (a text), and nothing else")
        turns.append((message["role"], _text(place, message, "content")))
    if turns[-1][0] != "assistant":
        raise ConfigurationError(f"{place}: the last message must be the assistant's; it is what is learned")
    before = "".join(f"{role}: {content}\n" for role, content in turns[:-1])
    return f"{before}assistant:\n", turns[-1][1]


def _text(place: str, row: Mapping[str, Any], key: str) -> str:
    """The text under ``key``, which must hold more than blanks."""
    if key not in row:
        raise ConfigurationError(f"{place}: key {key!r} is missing")
    value = row[key]
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{place}: key {key!r} must be a text that is not blank, not {value!r:.40}")
    return value
