"""Curves as runs of an MLflow experiment, through its tracking interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from knexa.errors import ConfigurationError
from knexa.events import EVENTS_FILE
from knexa.export.curves import curves, settings
from knexa.record import RunRecord

EXPERIMENT = "knexa"
#: What one request of the interface takes.
_MOST_METRICS, _MOST_SETTINGS = 1000, 100

T = TypeVar("T")


def to_mlflow(runs: Mapping[str, RunRecord], uri: str) -> None:
    """Add each run, by its name, to the experiment ``knexa`` at the tracking server, database or folder ``uri``.

    Settings become parameters, a round a step; the time of all points is when the record was last written. Raises ConfigurationError
    without mlflow, and with what mlflow says where it cannot write there.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ConfigurationError("--mlflow: the package mlflow is not installed; `pip install 'knexa[mlflow]'` brings it") from error
    try:
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known is not None else client.create_experiment(EXPERIMENT)
        for name, run in runs.items():
            written = int((run.folder / EVENTS_FILE).stat().st_mtime * 1000)
            tags = {"start_hash": run.start_hash, "knexa_version": run.version}
            made = client.create_run(experiment, start_time=written, run_name=name, tags=tags).info.run_id
            for some in _parts([Param(key, value) for key, value in settings(run).items()], _MOST_SETTINGS):
                client.log_batch(made, params=some)
            metrics = [Metric(point.curve, point.value, written, point.round) for point in curves(run)]
            for few in _parts(metrics, _MOST_METRICS):
                client.log_batch(made, metrics=few)
            client.set_terminated(made, "FINISHED" if run.finished else "KILLED", end_time=written)
    except (MlflowException, OSError) as error:
        raise ConfigurationError(f"--mlflow: found {uri!r}; mlflow cannot write there: {' '.join(str(error).split())}") from error


def _parts(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (values[at : at + most] for at in range(0, len(values), most))
