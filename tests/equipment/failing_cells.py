"""Test equipment: workplaces that break, or never come to an end, in some cells of a comparison."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from scored_workplace import ScoredWorkplace

from knexa.config import FederationConfig
from knexa.errors import ModelError
from knexa.protocol.peer import Result, Train, Work


class FailingCell(ScoredWorkplace):
    """Breaks while agent-2 trains in round 2, where the strategy is random; a local cell ends after that."""

    killed = False

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        if self.config.strategy == "random" and agent == "agent-2" and isinstance(work, Train) and round == 2:
            if self.killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ModelError("its adapter does not fit; train it again")
        return super().perform(agent, work, state, round)

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        super().save(agent, state, folder)
        trace = folder.parents[4] / "random" / f"seed-{self.config.seed}" / "error.txt"
        while self.config.strategy == "local" and not trace.exists():
            time.sleep(0.05)
        time.sleep(0.1 if self.config.strategy == "local" else 0.0)  # for the comparison to hear of it


class StuckCell(ScoredWorkplace):
    """Works for ever in round 2, and says so in a file beside the cell's events: the number of its process."""

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        if round == 2:
            (_run_folder() / "working").write_text(str(os.getpid()))
            time.sleep(600)
        return super().perform(agent, work, state, round)


def _run_folder() -> Path:
    """Of the run in this process, found by its open event log."""
    targets = [os.readlink(descriptor) for descriptor in Path("/proc/self/fd").iterdir() if descriptor.exists()]
    return next(Path(target).parent for target in targets if target.endswith("/events.jsonl"))


def create(config: FederationConfig) -> FailingCell:
    return FailingCell(config)


def create_killed(config: FederationConfig) -> FailingCell:
    workplace = FailingCell(config)
    workplace.killed = True
    return workplace


def create_stuck(config: FederationConfig) -> StuckCell:
    return StuckCell(config)
