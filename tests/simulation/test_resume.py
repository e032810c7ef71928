from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knexa.errors import Interrupted, RunFolderError
from knexa.simulation.federation import Federation
from knexa.simulation.ledgers import ledgers_in
from knexa.simulation.progress import Progress

WORKPLACE = "arithmetic_workplace:create"

SCRIPT = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {tests!r})
from conftest import federation_config
from knexa.errors import KnexaError
from knexa.simulation.federation import Federation
try:
    Federation(federation_config(rounds=5, kind="processes"), workplace={workplace!r}).run(Path({out!r}))
except KnexaError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def begin(out: Path, workplace: str) -> subprocess.Popen[bytes]:
    script = SCRIPT.format(tests=str(Path(__file__).parent), workplace=workplace, out=str(out))
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not happen"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(one) for one in listed.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Stop(BaseException):
    """Stands for a kill: nothing in the package can catch it."""


def stopped_after(config, folder: Path, jobs: int, duration) -> bool:
    """Run until ``jobs`` jobs are done, then die. False if the run was over before."""

    def stop(progress: Progress) -> None:
        if progress.done >= jobs:
            raise Stop

    try:
        Federation(config, workplace=WORKPLACE, duration=duration).run(folder, stop)
    except Stop:
        return True
    return False


def test_a_run_killed_after_any_job_resumes_to_the_same_bytes(config, tmp_path):
    """Whichever job was the last, with losses on the way and a straggler at work across rounds. No text stands in a ledger twice."""
    settings = config(rounds=3, transport={"loss": 0.1, "deadline_s": 20.0})

    def duration(agent, work) -> float:
        return 33.0 if agent == "agent-3" else 1.0

    whole = Federation(settings, workplace=WORKPLACE, duration=duration).run(tmp_path / "whole").events.read_bytes()
    ledgers = [path.read_bytes() for path in ledgers_in(tmp_path / "whole")]
    assert ledgers
    for jobs in range(1, 500, 3):
        folder = tmp_path / str(jobs)
        if not stopped_after(settings, folder, jobs, duration):
            break
        assert Federation(settings, workplace=WORKPLACE, duration=duration, resumed=folder).run().events.read_bytes() == whole
        assert [path.read_bytes() for path in ledgers_in(folder)] == ledgers
    assert jobs > 30


@pytest.mark.parametrize("method", ["fedavg", "central-kd", "fedid"])
def test_a_run_with_a_server_resumes_to_the_same_bytes(config, tmp_path, method):
    """Killed after any job, also in the middle of the server's step; the server's own model goes on where it was."""
    settings = config(rounds=3, matching={"matchmaker": "local"}, central={"method": method}, transport={"deadline_s": 20.0})

    def duration(agent, work) -> float:
        return 33.0 if agent == "agent-3" else 1.0

    whole = Federation(settings, workplace=WORKPLACE, duration=duration).run(tmp_path / "whole").events.read_bytes()
    for jobs in range(1, 500, 3):
        folder = tmp_path / str(jobs)
        if not stopped_after(settings, folder, jobs, duration):
            break
        assert Federation(settings, workplace=WORKPLACE, duration=duration, resumed=folder).run().events.read_bytes() == whole
    assert jobs > 30


def test_kill_9_in_the_middle_of_a_round_loses_nothing(config, tmp_path):
    """The whole run killed, its workers die with it; resumed, it writes the log of a run that was never killed."""
    whole = Federation(config(rounds=5), workplace=WORKPLACE).run(tmp_path / "whole").events.read_bytes()
    run = begin(tmp_path / "run", "arithmetic_workplace:create_slow")
    events = tmp_path / "run" / "events.jsonl"
    wait_for(
        lambda: events.is_file() and b'"kind":"profile","metrics"' in events.read_bytes() and events.read_bytes().count(b'"update"') == 2
    )
    workers = children(run.pid)
    assert len(workers) == 2
    run.kill()
    run.wait()
    wait_for(lambda: not any(map(alive, workers)), 5.0)
    assert Federation.resume(tmp_path / "run", workplace=WORKPLACE).run().events.read_bytes() == whole


def test_ctrl_c_stops_within_seconds_and_says_how_to_go_on(config, tmp_path):
    """Workers that would take ten minutes are ended at once; exit code 130; the sentence names the folder."""
    run = begin(tmp_path / "run", "arithmetic_workplace:create_stuck")
    wait_for(lambda: (tmp_path / "run" / "checkpoint-00000").is_dir())
    workers = children(run.pid)
    began = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert run.returncode == Interrupted.exit_code
    assert f"--resume {tmp_path / 'run'}" in said.decode()
    assert not any(map(alive, workers))
    whole = Federation(config(rounds=5), workplace=WORKPLACE).run(tmp_path / "whole").events.read_bytes()
    assert Federation.resume(tmp_path / "run", workplace=WORKPLACE).run().events.read_bytes() == whole


def test_resuming_a_finished_run_changes_nothing(config, tmp_path):
    """The record of a run that has ended stays as it is."""
    result = Federation(config(), workplace=WORKPLACE).run(tmp_path / "run")
    before = {path: path.read_bytes() for path in result.folder.rglob("*") if path.is_file()}
    assert Federation.resume(tmp_path / "run", workplace=WORKPLACE).run() == result
    assert {path: path.read_bytes() for path in result.folder.rglob("*") if path.is_file()} == before


def test_a_log_shorter_than_its_checkpoint_is_refused(config, tmp_path):
    """A log that lost lines cannot be continued: better an error than a record with a hole."""
    assert stopped_after(config(), tmp_path / "run", 20, lambda agent, work: 1.0)
    events = tmp_path / "run" / "events.jsonl"
    events.write_bytes(events.read_bytes()[:100])
    with pytest.raises(RunFolderError, match="shorter than its checkpoint"):
        Federation.resume(tmp_path / "run", workplace=WORKPLACE).run()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    """Resuming needs a folder that a run has written."""
    with pytest.raises(RunFolderError, match="no run folder"):
        Federation.resume(tmp_path)
