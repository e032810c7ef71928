"""What an agent keeps on disk, so that it goes on after a kill at any moment as if nothing had happened.

Two files, replaced together: the model's state under a name of its own, and ``agent.json``, which names it and holds everything else.
Work in hand is kept as what it is to do; it begins again from the same bytes, so it ends the same. Both are for their owner alone, and so
is the folder where it is made here: texts that arrived are in there, and weights that learned private ones.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from knexa import durable
from knexa.errors import RunFolderError
from knexa.protocol.agent import AgentState
from knexa.protocol.encoding import JsonForm
from knexa.protocol.peer import Work
from knexa.service.agent.policy import Exchanged
from knexa.service.identity.files import PRIVATE

_FILE = "agent.json"
_FORM = JsonForm()


@dataclass(slots=True)
class Memory:
    """``machine``: the protocol's state. ``learner``: the model's. ``start``: SHA-256 of the learner that the federation began with.

    ``work``: what is being done. ``outbox``: reports (wire messages) that the coordinator has not acknowledged, oldest first.
    ``evaluated``: stages whose scores have been reported, such as ``start`` or ``round-10``. ``exchanged``: packages of the last day.
    """

    learner: bytes
    start: bytes
    machine: AgentState = field(default_factory=AgentState)
    work: Work | None = None
    outbox: list[bytes] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)
    exchanged: list[Exchanged] = field(default_factory=list)


class AgentStore:
    """One agent's folder. Raises RunFolderError where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        self._kept: bytes | None = None

    def load(self) -> Memory | None:
        """What was saved last; None if nothing was."""
        if not (self.folder / _FILE).exists():
            return None
        try:
            form = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            self._number = form["learner"]
            self._kept = self._learner().read_bytes()
            return Memory(
                learner=self._kept,
                start=bytes.fromhex(form["start"]),
                machine=_FORM.from_json(form["machine"]),
                work=_FORM.from_json(form["work"]),
                outbox=[bytes.fromhex(one) for one in form["outbox"]],
                evaluated=form["evaluated"],
                exchanged=[Exchanged(**one) for one in form["exchanged"]],
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunFolderError(
                f"{self.folder / _FILE}: cannot be read ({error}); restore the folder, or remove it and join anew"
            ) from error  # fmt: skip

    def save(self, memory: Memory) -> None:
        """On return it is on disk; a crash meanwhile leaves what was saved before."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            before = self._learner()
            changed = memory.learner is not self._kept
            if changed:
                self._number += 1
                durable.replace(self._learner(), memory.learner, PRIVATE)
            durable.replace(self.folder / _FILE, json.dumps(self._form(memory)).encode(), PRIVATE)
            if changed and self._kept is not None:
                before.unlink(missing_ok=True)
            self._kept = memory.learner
        except OSError as error:
            raise RunFolderError(f"{self.folder}: cannot be written ({error.strerror}); make room and start the agent again") from error

    def _form(self, memory: Memory) -> dict[str, Any]:
        return {
            "learner": self._number,
            "start": memory.start.hex(),
            "machine": _FORM.to_json(memory.machine),
            "work": _FORM.to_json(memory.work),
            "outbox": [one.hex() for one in memory.outbox],
            "evaluated": memory.evaluated,
            "exchanged": [asdict(one) for one in memory.exchanged],
        }

    def _learner(self) -> Path:
        return self.folder / f"learner-{self._number}.bin"
