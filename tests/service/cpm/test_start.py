"""What a coordinator looks at before it begins: nothing of another run's is written over, and what it refuses leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from identities import files
from local_federation import small

from knexa.config import to_toml
from knexa.errors import RunFolderError
from knexa.service.cpm.journal import Journal
from knexa.service.cpm.process import CONFIG_FILE, JOURNAL_FILE, CpmPlan, serve
from knexa.service.identity import CPM
from knexa.service.local import provision
from knexa.service.settings import settings_hash


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return provision(small(), tmp_path_factory.mktemp("identities"))


@pytest.fixture
def plan(identities: dict[str, Path], tmp_path: Path) -> CpmPlan:
    return CpmPlan(small(), tmp_path / "run", identities[CPM], "127.0.0.1:0")


@contextmanager
def serving(plan: CpmPlan) -> Iterator[str]:
    """The coordinator as a process of its own, and the line with which it says that it listens."""
    settings = plan.folder.parent / "federation.toml"
    settings.write_text(to_toml(plan.config))
    options = ["--identity", str(plan.identity), "--listen", plan.listen, "--out", str(plan.folder)]
    command = [sys.executable, "-m", "knexa", "cpm", "serve", str(settings), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline()
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("name", ["events.jsonl", "config.toml"])
def test_what_another_run_has_written_is_not_written_over(plan: CpmPlan, name: str) -> None:
    """A folder of `knexa run`, or of a federation whose journal is missing: refused by its name, and left as it is."""
    plan.folder.mkdir()
    (plan.folder / name).write_text("a record of days")
    before = files(plan.folder)
    with pytest.raises(RunFolderError, match=rf"{name}: is another run's"):
        serve(plan, print)
    assert files(plan.folder) == before


def test_a_journal_that_never_began_is_no_leave_to_write_over_a_record(plan: CpmPlan) -> None:
    """Such as an empty database given with --journal, in the place of the one that was lost."""
    plan.folder.mkdir()
    (plan.folder / "events.jsonl").write_text("a record of days")
    Journal(f"sqlite:///{plan.folder / JOURNAL_FILE}").close()
    with pytest.raises(RunFolderError, match="restore its journal"):
        serve(plan, print)
    assert (plan.folder / "events.jsonl").read_text() == "a record of days"


def test_a_start_that_was_killed_before_all_was_written_is_gone_on_with(plan: CpmPlan) -> None:
    """The journal has begun and nothing else is there, or not even that: the folder is its own, and gets the settings."""
    plan.folder.mkdir()
    with Journal(f"sqlite:///{plan.folder / JOURNAL_FILE}") as journal:
        journal.begin("f-1", settings_hash(plan.config))
    for _ in range(2):
        with serving(plan) as line:
            assert "federation f-1: listening at 127.0.0.1:" in line
        assert (plan.folder / CONFIG_FILE).read_text() == to_toml(plan.config)
