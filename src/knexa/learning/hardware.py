"""Where a model computes and in which numbers, and whether there is room for it, which is asked before anything is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from knexa.errors import ConfigurationError, ModelError
from knexa.machine import WORKER, free_mb

#: From so many parameters on, products are what takes the time, and a CPU that multiplies bfloat16 faster is let do so.
LARGE = 50_000_000
#: Share of the free memory that a model may take: texts, their logits and their gradients need the rest.
USABLE = 0.8

Dtype = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Placement:
    """``dtype``: of frozen weights and activations. Adapter, optimiser and losses are float32 in any case.

    bfloat16 has the range of float32, so there is no loss scale to keep; what it lacks is precision, which the adapter does not lose.
    """

    device: torch.device
    dtype: torch.dtype

    def __str__(self) -> str:
        return f"{self.device} in {str(self.dtype).removeprefix('torch.')}"


def device_of(name: str) -> torch.device:
    """``auto``: this worker's GPU if there is one, else the CPU; or ``cpu``, ``cuda``, ``cuda:N``. Raises ConfigurationError."""
    count = torch.cuda.device_count()
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if not count:
        raise ConfigurationError(f"engine.device: found {name!r}, and PyTorch finds no GPU here; allowed: 'auto', 'cpu'")
    if name in ("auto", "cuda"):
        return torch.device("cuda", int(os.environ.get(WORKER, "0")) % count)
    device = torch.device(name)
    if (device.index or 0) >= count:
        raise ConfigurationError(f"engine.device: found {name!r}; allowed: 'auto', 'cpu', 'cuda', or 'cuda:0' to 'cuda:{count - 1}'")
    return device


def place(device: str, dtype: Dtype, parameters: int) -> Placement:
    """``auto``: bfloat16 where the device multiplies it in hardware and the model has at least :data:`LARGE` ``parameters``."""
    where = device_of(device)
    if dtype != "auto":
        return Placement(where, torch.float32 if dtype == "float32" else torch.bfloat16)
    return Placement(where, torch.bfloat16 if parameters >= LARGE and _multiplies_bfloat16(where) else torch.float32)


def require_room(name: str, needed: int, device: torch.device) -> None:
    """Raises ModelError if ``needed`` bytes for backbone ``name`` are more than :data:`USABLE` of what is free on ``device``."""
    free = free_bytes(device)
    if needed > USABLE * free:
        raise ModelError(
            f"backbone '{name}' needs about {needed / 2**30:.1f} GiB on {device}, of which {free / 2**30:.1f} are free; choose a smaller "
            "one, model.dtype = 'bfloat16', fewer engine.workers (each loads its own), or a machine with more memory"
        )


def free_bytes(device: torch.device) -> int:
    """Memory that a process could still take: of the GPU, or of the machine and its control group."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(free_mb() * 2**20)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and bool({"avx512_bf16", "amx_bf16"} & set(cpuinfo.read_text(encoding="utf-8").split()))
