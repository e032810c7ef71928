"""A federation, simulated: the public way to run one and to resume one that was stopped."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from knexa.config import EngineConfig, FederationConfig, load_config
from knexa.errors import Interrupted, KnexaError, RunFolderError
from knexa.events import EVENTS_FILE, read_events
from knexa.simulation.checkpoint import read_checkpoint
from knexa.simulation.duration import Duration, nominal_duration
from knexa.simulation.progress import OnProgress, Progress
from knexa.simulation.run import Run
from knexa.simulation.run_folder import ERROR_FILE, RunFolder, read_config

#: Factory of the workplace that trains, teaches and evaluates language models.
WORKPLACE = "knexa.participant.workplace:LearningWorkplace"


@dataclass(frozen=True, slots=True)
class Result:
    """Where a run is: its folder, and the record of all that happened."""

    folder: Path
    events: Path


class Federation:
    """A configuration that can be run. Running it twice writes the same events."""

    def __init__(
        self,
        config: FederationConfig,
        *,
        workplace: str = WORKPLACE,
        duration: Duration | None = None,
        resumed: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        """``workplace``: ``module:object``, called with the configuration in each worker. ``resumed``: folder of a stopped run.

        ``cache``: folder of results of jobs, used again and added to; the events are the same with and without. None: no such folder.
        """
        self.config = config
        self._workplace = workplace
        self._duration = duration or nominal_duration(config)
        self._resumed = resumed
        self._cache = cache

    @classmethod
    def from_config(cls, source: str | Path | FederationConfig, *, workplace: str = WORKPLACE, cache: Path | None = None) -> Federation:
        """``source``: path of a federation.toml, the name of a preset, or a configuration."""
        return cls(source if isinstance(source, FederationConfig) else load_config(source), workplace=workplace, cache=cache)

    @classmethod
    def resume(
        cls, folder: Path, *, workplace: str = WORKPLACE, cache: Path | None = None, engine: EngineConfig | None = None
    ) -> Federation:
        """The federation of a run folder; :meth:`run` goes on from its last checkpoint. Raises RunFolderError if it is none.

        ``engine``: kind and number of workers from now on, which decide how fast it goes and nothing that comes out. None: as before.
        """
        config = read_config(folder)
        return cls(config if engine is None else with_workers_of(config, engine), workplace=workplace, resumed=folder, cache=cache)

    def run(self, out: Path | None = None, on_progress: OnProgress | None = None) -> Result:
        """Run to the end and return where the results are.

        ``out``: a folder that is new or empty; default: the next free ``runs/STRATEGY-seedSEED-N``. Raises RunFolderError if it cannot
        hold a run, Interrupted on Ctrl-C, and other errors with the name of the agent at fault; all but the first can be resumed.
        """
        if self._resumed is not None and out is not None:
            raise RunFolderError(f"{self._resumed}: a resumed run stays in its folder; leave out={out} away")
        folder = RunFolder.reopen(self._resumed) if self._resumed else RunFolder.create(out or self.free_folder(), self.config)
        try:
            if not (self._resumed and _finished(folder)):
                self._run_in(folder, on_progress or _silent)
            return Result(folder.path, folder.events)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; what was done is kept, go on with `knexa run --resume {folder.path}`") from None
        except OSError as error:
            raise RunFolderError(f"{folder.path}: {error}; when that is mended, go on with `knexa run --resume {folder.path}`") from error
        except KnexaError as error:
            _keep_trace(folder, error)
            raise
        finally:
            folder.close()

    def _run_in(self, folder: RunFolder, on_progress: OnProgress) -> None:
        (folder.path / ERROR_FILE).unlink(missing_ok=True)
        run = Run(self.config, folder, self._workplace, self._duration, on_progress, read_checkpoint(folder.path), self._cache)
        try:
            run.execute()
        finally:
            run.close()

    def free_folder(self) -> Path:
        """The next free ``runs/STRATEGY-seedSEED-N``; nothing is made."""
        candidates = (Path("runs") / f"{self.config.strategy}-seed{self.config.seed}-{number}" for number in count(1))
        return next(path for path in candidates if not path.exists())


def with_workers_of(config: FederationConfig, engine: EngineConfig) -> FederationConfig:
    """``config`` with the kind and the workers of ``engine``, and threads, device and endpoint of its own: those decide what comes out."""
    workers = {"kind": engine.kind, "workers": engine.workers}
    return config.model_copy(update={"engine": config.engine.model_copy(update=workers)})


def _finished(folder: RunFolder) -> bool:
    if not folder.events.is_file():
        return False
    last = deque(read_events(folder.path, EVENTS_FILE), maxlen=1)
    return bool(last) and last[0]["kind"] == "end"


def _keep_trace(folder: RunFolder, error: KnexaError) -> None:
    """Put the traceback of a failed job where a user who reports the failure finds it."""
    notes: list[str] = getattr(error, "__notes__", [])
    if notes:
        (folder.path / ERROR_FILE).write_text(f"{error}\n\n" + "\n".join(notes), encoding="utf-8")


def _silent(progress: Progress) -> None:
    """For a run that nobody watches."""
