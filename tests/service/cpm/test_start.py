"""What a coordinator looks at before it begins: nothing of another run's is written over, and what it refuses leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from identities import files
from local_federation import small

from knexa.config import to_toml
from knexa.errors import ConfigurationError, CredentialsError, KnexaError, RunFolderError
from knexa.service.cpm.journal import Journal
from knexa.service.cpm.process import CONFIG_FILE, JOURNAL_FILE, CpmPlan, serve
from knexa.service.identity import CPM
from knexa.service.local import LocalFederation, provision
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


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"identity": Path("nope")}, CredentialsError, "nope"),
        ({"listen": "127.0.0.1"}, ConfigurationError, "^--listen: found '127.0.0.1'; allowed: HOST:PORT"),
        ({"metrics": "9090"}, ConfigurationError, "^--metrics: found '9090'; allowed: HOST:PORT"),
    ],
)
def test_what_cannot_serve_is_refused_before_anything_is_written(
    plan: CpmPlan, change: dict[str, object], error: type[KnexaError], sentence: str
) -> None:
    """A folder without a certificate, an address without a port: the folder of the run is not made."""
    with pytest.raises(error, match=sentence):
        serve(replace(plan, **change), print)
    assert not plan.folder.exists()


@pytest.mark.parametrize("option", ["listen", "metrics"])
def test_a_port_that_is_taken_begins_no_journal(plan: CpmPlan, option: str) -> None:
    """So that the settings may still be changed before the next try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"{where}: cannot be listened at .*; choose another --{option}"):
            serve(replace(plan, **{option: where}), print)
    assert not plan.folder.exists()
    with serving(replace(plan, config=small(rounds=5))) as line:
        assert "listening at 127.0.0.1:" in line


def test_an_agents_identity_is_no_coordinators(plan: CpmPlan, identities: dict[str, Path]) -> None:
    """Nobody would join it: agents call the name cpm, and would find somebody else."""
    with pytest.raises(ConfigurationError, match=r"is knexa://agent-1/agent-1; a coordinator's name is 'cpm'"):
        serve(replace(plan, identity=identities["agent-1"]), print)
    assert not plan.folder.exists()


def test_a_second_coordinator_hears_of_the_first_and_not_of_its_port(plan: CpmPlan) -> None:
    """In the folder of one that runs, whatever it is to listen at."""
    with serving(plan) as line:
        where = f"127.0.0.1:{line.strip().rpartition(':')[2]}"
        with pytest.raises(RunFolderError, match="another coordinator runs this federation"):
            serve(replace(plan, listen=where), print)


@pytest.mark.parametrize("folder", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_named(plan: CpmPlan, tmp_path: Path, folder: str) -> None:
    """A file, or below one: a sentence with the option, here and from a federation on one machine."""
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=rf"{folder}: cannot be used .*; choose another --out"):
        serve(replace(plan, folder=tmp_path / folder), print)
    with pytest.raises(RunFolderError, match=rf"{folder}: .*; choose another --out"), LocalFederation(small(), tmp_path / folder) as up:
        up.start()
