"""The machine that this runs on: its name in results, and how much memory it could still give."""

from __future__ import annotations

import os
import platform
from pathlib import Path

#: Environment variable: the number of a worker among those of an engine, from 0. With several GPUs, each takes its own in turn.
WORKER = "KNEXA_WORKER"


def machine_name() -> str:
    """Processor model, cores and Python: what decides whether two durations can be compared."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def free_mb() -> float:
    """Main memory that processes could still take, in MB (2**20 bytes): of the machine, or of its control group if that leaves less."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free = int(fields["MemAvailable"].split()[0]) / 1024
    most, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if most.is_file() and (limit := most.read_text(encoding="ascii").strip()) != "max":
        free = min(free, (int(limit) - int(used.read_text(encoding="ascii"))) / 2**20)
    return free
