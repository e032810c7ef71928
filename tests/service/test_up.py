"""``knexa up`` as a process: whoever stops it stops all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from local_federation import WORKPLACE, small

from knexa.cli.stopping import stopped_as_by_ctrl_c
from knexa.service.local import LocalFederation


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def test_the_signal_that_stops_a_service_leaves_no_process_behind(tmp_path: Path) -> None:
    """SIGTERM, from a service manager or a container's runtime: coordinator and agents end too, and the code says that it was stopped."""
    here = Path(__file__).parent.parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(here / "equipment"), str(here / "simulation"), os.environ.get("PYTHONPATH", "")])
    options = ["--agents", "2", "--rounds", "1000", "--workplace", WORKPLACE, "--out", str(tmp_path / "up")]
    with subprocess.Popen([sys.executable, "-m", "knexa", "up", *options], env=environment, stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        until = time.monotonic() + 60
        while len(begun := children(up.pid)) < 3:
            assert time.monotonic() < until
            time.sleep(0.05)
        up.send_signal(signal.SIGTERM)
        said = up.stderr.read()
    assert up.returncode == 130
    assert "stopped; what was done is in" in said
    assert not [pid for pid in begun if Path(f"/proc/{pid}").exists()]


def test_a_signal_while_a_process_is_started_does_not_lose_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when the process is there and nobody has noted it yet: that one is ended, too, and no other is started."""
    federation = LocalFederation(small(), tmp_path / "up", WORKPLACE)
    spawn, begun = federation._spawn, []

    def interrupted(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        begun.append(spawn(command, log))
        os.kill(os.getpid(), signal.SIGTERM)
        return begun[-1]

    monkeypatch.setattr(federation, "_spawn", interrupted)
    with pytest.raises(KeyboardInterrupt), stopped_as_by_ctrl_c(), federation:
        federation.start()
    assert len(begun) == 1
    assert not Path(f"/proc/{begun[0].pid}").exists()
