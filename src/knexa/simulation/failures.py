"""How an exception in a job comes to its user: one sentence that begins with the agent's name, and the traceback beside it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from knexa import errors
from knexa.errors import KnexaError


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as data, so that it can cross from one process to another whatever it was made of."""

    kind: str
    message: str
    trace: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        trace = "".join(traceback.format_exception(error))
        return cls(type(error).__name__, str(error), trace)

    def error(self, where: str) -> KnexaError:
        """The error to raise: errors of ours keep their type; others are a KnexaError that names theirs. The trace is its note."""
        known = getattr(errors, self.kind, None)
        if isinstance(known, type) and issubclass(known, KnexaError):
            ours: KnexaError = known(f"{where}: {self.message}")
        else:
            said = self.message.strip().splitlines()
            ours = KnexaError(f"{where} failed: {self.kind}{': ' + said[0] if said else ''}")
        ours.add_note(self.trace)
        return ours
