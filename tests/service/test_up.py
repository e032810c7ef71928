"""``knexa up`` as a process: whoever stops it stops all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local_federation import WORKPLACE


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
