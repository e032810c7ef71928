"""What a command tells: sentences for a person, or the same facts as JSON for a script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Told:
    """``facts`` have to fit into JSON."""

    facts: Mapping[str, Any]
    lines: Sequence[str]

    def tell(self, as_json: bool) -> None:
        """On stdout, at once also into a pipe."""
        for line in [json.dumps(self.facts)] if as_json else self.lines:
            typer.echo(line)


def moment(time: datetime) -> str:
    """For a person; facts hold ``isoformat``."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
