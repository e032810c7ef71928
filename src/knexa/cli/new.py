"""``knexa new``: a federation.toml that explains itself and a matchmaker to edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import tomli_w

from knexa.config import FederationConfig, load_config
from knexa.errors import RunFolderError
from knexa.field_rules import FieldRule, rules
from knexa.presets import DEFAULT_PRESET

_HEAD = """\
# A federation of three agents. Run it:   knexa run federation.toml
# Everything that is commented out shows what holds without it; remove the "# " to change it.
# One setting for one run:                knexa run federation.toml --set local.steps=8

preset = "quickstart"   # what the settings below are laid over
rounds = 4
seed = 42
"""

_AGENTS = """\
# One table for each participant. backbone: embedded:qwen2, embedded:gpt2, embedded:bloom, embedded:gpt-neox, a folder, or a hub id.
[[agents]]
name = "clinic-a"
backbone = "embedded:qwen2"

[[agents]]
name = "clinic-b"
backbone = "embedded:gpt2"

[[agents]]
name = "clinic-c"
backbone = "embedded:gpt-neox"
"""

_MATCHMAKER = '''\
"""A matchmaker of your own: it decides who teaches whom.

To use it, set in federation.toml, and run from this folder:

    [matching]
    matchmaker = "matchmaker:WeakestFirst"
"""

from knexa.matching import Outcome, Profile


class WeakestFirst:
    """The strongest agent teaches the weakest, the second strongest the second weakest, and so on."""

    def __init__(self, config, reward, rounds: int, seed: int) -> None:
        """Called once a run. ``config`` and ``reward`` are the [matching] and [reward] tables."""
        self.rewarded = 0

    def match(self, profiles: dict[str, Profile], round: int) -> list[tuple[str, str]]:
        """Disjoint pairs (teacher, student) among the agents of ``profiles``, best first; ``round`` counts from 1."""
        ranked = sorted(profiles, key=lambda name: profiles[name].metric("pass@1"), reverse=True)
        return [(ranked[place], ranked[-1 - place]) for place in range(len(ranked) // 2)]

    def learn(self, outcome: Outcome) -> None:
        """Called for every outcome: losses and scores before and after, bytes, texts kept."""
        self.rewarded += outcome.loss_after < outcome.loss_before

    def state(self) -> dict[str, int]:
        """What a resumed run must know; has to fit into JSON."""
        return {"rewarded": self.rewarded}

    def restore(self, state: dict[str, int]) -> None:
        self.rewarded = state["rewarded"]
'''


def write_project(folder: Path) -> list[Path]:
    """Write both files into ``folder``; raises RunFolderError, with nothing written, if one is there or it cannot be written."""
    contents = {folder / "federation.toml": federation_toml(), folder / "matchmaker.py": _MATCHMAKER}
    for path in contents:
        if path.exists():
            raise RunFolderError(f"{path}: exists already and is not overwritten; choose another name, or remove it first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror}); choose another name") from error
    return list(contents)


def federation_toml() -> str:
    """The agents, and every other setting with its description, commented out at the value that it has in the preset."""
    nested = [rule for rule in rules(FederationConfig) if "." in rule.key and "*" not in rule.key]
    values = load_config(preset=DEFAULT_PRESET).model_dump(mode="json")
    tables = groupby(nested, key=lambda rule: rule.key.split(".")[0])
    parts = [
        "\n".join([f"[{table}]", *(line for rule in group for line in _commented(rule, values[table]))]) + "\n" for table, group in tables
    ]
    return "\n".join([_HEAD, _AGENTS, *parts])


def _commented(rule: FieldRule, values: Mapping[str, Any]) -> Iterator[str]:
    key = rule.key.split(".")[1]
    value = "none" if values[key] is None else values[key]
    yield "# " + (f"{rule.description}; {rule.allowed}" if rule.description else rule.allowed)
    # A list spreads over lines where it is written out; a comment is one line.
    yield "# " + " ".join(tomli_w.dumps({key: value}).split())
