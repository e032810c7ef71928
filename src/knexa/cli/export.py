"""``knexa export``: runs for TensorBoard and MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from knexa.cli.told import Told
from knexa.errors import ConfigurationError
from knexa.export.curves import names
from knexa.export.mlflow import to_mlflow
from knexa.export.tensorboard import to_tensorboard
from knexa.record import read_run


def export_runs(folders: Sequence[Path], tensorboard: Path | None, mlflow: str | None, *, as_json: bool) -> None:
    if tensorboard is None and mlflow is None:
        raise ConfigurationError("knexa export: found no target; allowed: --tensorboard DIR, --mlflow URI, or both")
    records = [read_run(folder) for folder in dict.fromkeys(folders)]
    runs = dict(zip(names(list(dict.fromkeys(folders)), records), records, strict=True))
    lines = []
    if tensorboard is not None:
        to_tensorboard(runs, tensorboard)
        lines.append(f"Runs exported: {len(runs)}; look at them with: tensorboard --logdir {tensorboard}")
    if mlflow is not None:
        to_mlflow(runs, mlflow)
        lines.append(f"Runs exported: {len(runs)}, to experiment knexa at {mlflow}")
    Told({"runs": list(runs), "tensorboard": str(tensorboard) if tensorboard else None, "mlflow": mlflow}, lines).tell(as_json)
