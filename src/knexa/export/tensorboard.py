"""Curves as TensorBoard's event files, written with tensorboardX, which needs no TensorFlow and no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from knexa.errors import ConfigurationError
from knexa.export.curves import curves, settings
from knexa.record import RunRecord


def to_tensorboard(runs: Mapping[str, RunRecord], folder: Path) -> None:
    """Write each run, by its name, to a folder of its own under ``folder``, which ``tensorboard --logdir`` then shows.

    Raises ConfigurationError, with nothing written, without tensorboardX and for a run that is there already: every point would be there
    twice. The same for a folder that cannot be written to.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            "--tensorboard: the package tensorboardX is not installed; `pip install 'knexa[tensorboard]'` brings it"
        ) from error
    for name in runs:
        if any((folder / name).glob("events.out.tfevents.*")):
            raise ConfigurationError(f"--tensorboard: {folder / name} holds an exported run already; remove it, or choose another folder")
    try:
        for name, run in runs.items():
            with SummaryWriter(str(folder / name)) as writer:
                writer.add_text("config", f"```json\n{json.dumps(settings(run), indent=2)}\n```", 0)
                for point in curves(run):
                    writer.add_scalar(point.curve, point.value, point.round)
    except OSError as error:
        raise ConfigurationError(f"--tensorboard: {folder} cannot be written ({error.strerror}); choose another folder") from error
