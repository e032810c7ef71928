"""Writes docs/configuration.md: its table comes from the fields themselves, its text stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from knexa.config import FederationConfig
from knexa.field_rules import rules
from knexa.presets import preset_names
from knexa.strategies import PEERS_ONLY, RESET, STRATEGIES, UNDISTILLED

TARGET = Path(__file__).with_suffix(".md")

TEXT = """\
# Configuration

*Written by `make docs`: its table out of the fields in `src/knexa/config/sections.py` and `safety.py`, its text out of
`docs/configuration.py`; edit those, not this file.*

One TOML file describes a federation; `knexa new NAME` writes a commented one. What counts in the end is laid over in this order, later
wins:

1. a preset ({presets}; `--preset`, or `preset = "…"` in the file; default `quickstart`),
2. a strategy that the file names (`strategy = "…"`), which replaces only the keys that tell methods apart,
3. the file: what it says beside its own `strategy` holds, and the run still bears that name,
4. a strategy that the command names (`--strategy`, `--set strategy=…`), over the file,
5. `--set KEY=VALUE`, with dotted keys (`local.steps=8`) and numbers for list items (`agents.0.lessons=3`),
6. `--rounds` and `--seed`.

The result, with every default written out, is `config.toml` in the run folder; running that file gives the same run. TOML has no null:
write `"none"`. An unknown key is an error.

## Strategies

All strategies of a comparison share fleet, data, rounds and gradient steps. {undistilled} distil nothing, so
`distillation.steps`, times the expected share of agents that learn in a round, moves into `local.first_steps` and `local.steps`, rounded
up; [baselines](baselines.md) says what else is kept equal. What a strategy does not name of {peers_only} it sets to the default.
A run whose settings no strategy describes is called `custom`.

| strategy | what it is | sets |
|---|---|---|
{strategies}

## Keys

| key | allowed | default | meaning |
|---|---|---|---|
{keys}
"""


def page() -> str:
    """The whole document."""
    keys = "\n".join(
        f"| `{rule.key}` | {_cell(rule.allowed)} | {_default(rule.default, rule.required)} | {_cell(rule.description)} |"
        for rule in _rules()
    )
    strategies = "\n".join(f"| `{name}` | {one.summary} | {_overrides(dict(one.overrides))} |" for name, one in STRATEGIES.items())
    undistilled, peers_only = (", ".join(f"`{name}`" for name in names) for names in (UNDISTILLED, PEERS_ONLY))
    return TEXT.format(
        undistilled=undistilled,
        peers_only=peers_only,
        presets=", ".join(f"`{name}`" for name in preset_names()),
        strategies=strategies,
        keys=keys,
    )


def _rules() -> list[Any]:
    return list(rules(FederationConfig))


def _overrides(overrides: dict[str, object]) -> str:
    return ", ".join(f"`{key}` = {'default' if value is RESET else _default(value, False)}" for key, value in overrides.items())


def _default(value: Any, required: bool) -> str:
    if required:
        return "required"
    if value is None:
        return '`"none"`'
    return f"`{str(value).lower() if isinstance(value, bool) else list(value) if isinstance(value, tuple) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
