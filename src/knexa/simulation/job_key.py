"""What decides the result of a job, as one number: jobs with equal keys have equal results.

A workplace's answer is a function of its arguments and the configuration alone (:class:`~knexa.participant.contract.Workplace`), computed
by some code on some machine. A key is the SHA-256 of all of that: the call with its arguments, state bytes included; this package file by
file, and with it the embedded models and problems; the versions of all that is installed beside it; processor, Python and visible GPUs; the
content of every file that the configuration names; and the configuration.

The whole configuration would tell any two strategies apart, so what no job reads is left out of it. Only keys that strategies change are
listed; a new one is part of the key until somebody lists it here. ``tests/simulation/test_job_key.py`` does the real work of every job
with a configuration whose unread keys raise when they are read.

- Read by no job (:data:`UNREAD`): ``strategy`` is a name. Of ``matching``, ``reward`` and ``central`` these keys decide, in the coordinator
  or between two rounds, *which* jobs there are; what was decided is in their arguments.
- Read by no evaluation, no local update, and nobody who asks or teaches (:data:`UNREAD_BUT_BY_STUDENTS`): what a student keeps, and how it
  distils.
- Read by no evaluation and no local update (:data:`UNREAD_BUT_IN_EXCHANGES`): what is asked for.
- Read by no evaluation (:data:`UNREAD_BY_EVALUATIONS`): how long agents train.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import knexa
from knexa.baselines import tasks
from knexa.config import FederationConfig
from knexa.learning.packaged import PREFIX, packaged_file
from knexa.machine import machine_name
from knexa.paths import exists
from knexa.protocol.encoding import JsonForm
from knexa.protocol.peer import Ask, Teach, Train
from knexa.simulation.engine import Job

UNREAD = (
    "strategy",
    *(f"matching.{key}" for key in ("matchmaker", "context", "bandit", "schedule", "discount", "trust", "pairing", "curriculum")),
    *("reward.scale", "reward.measure", "central.method"),
)
_STUDENT = ("steps", "verify", "memory", "keep", "agreement", "rollback", "acceptance", "alpha", "alpha_start", "alpha_end")
UNREAD_BUT_BY_STUDENTS = tuple(f"distillation.{key}" for key in _STUDENT)
UNREAD_BUT_IN_EXCHANGES = ("distillation.candidates", "matching.only_better")
UNREAD_BY_EVALUATIONS = ("local.first_steps", "local.steps")

#: Calls whose results are worth keeping. ``save`` has none, and the others take no longer than looking them up.
KEPT_CALLS = ("perform", "assist", "evaluate")

_TASKS = (tasks.Answer, tasks.Tell, tasks.Blend, tasks.Distil, tasks.Learn, tasks.Share, tasks.Mean, tasks.Adopt)

#: Arguments and results of jobs as JSON, exactly.
FORM = JsonForm(*_TASKS, tasks.Answers, tasks.Learned, tasks.Shared)


class JobKeys:
    """Keys of the jobs of one run. Reads every file that ``config`` names once, when it is made."""

    def __init__(self, config: FederationConfig, workplace: str) -> None:
        """``workplace``: the factory ``module:object``. ValueError where :func:`changeable` names any."""
        if hubs := changeable(config):
            raise ValueError(f"nothing here tells two versions of {', '.join(hubs)} apart, so no job with it has a key")
        self._config = config
        code = (workplace, *([config.guardrail.plug] if config.guardrail.plug is not None else []))
        self._around = _sha256(_packages(), _machine(), _tree(Path(knexa.__file__).parent), *code, *map(_source, code), _files(config))

    def of(self, job: Job) -> str | None:
        """64 hexadecimal digits, or None for a job whose result is not worth keeping."""
        if job.call not in KEPT_CALLS:
            return None
        return _sha256(
            self._around, json.dumps(read_by(job, self._config), sort_keys=True), job.call, json.dumps(FORM.to_json(job.arguments))
        )


def unread(job: Job) -> tuple[str, ...]:
    """Keys of the configuration, dotted, that ``job`` does not read and strategies change."""
    match job.call, job.arguments[1]:
        case "evaluate", _:
            return (*UNREAD, *UNREAD_BUT_BY_STUDENTS, *UNREAD_BUT_IN_EXCHANGES, *UNREAD_BY_EVALUATIONS)
        case "perform", Train():
            return (*UNREAD, *UNREAD_BUT_BY_STUDENTS, *UNREAD_BUT_IN_EXCHANGES)
        case "perform", Ask() | Teach():
            return (*UNREAD, *UNREAD_BUT_BY_STUDENTS)
    return UNREAD


def read_by(job: Job, config: FederationConfig) -> dict[str, Any]:
    """``config`` as JSON without what ``job`` does not read. Which engine runs it is no part of any result; its threads and device are."""
    rest = config.model_dump(mode="json")
    for key in (*unread(job), "engine.kind", "engine.workers"):
        section, _, name = key.rpartition(".")
        del (rest[section] if section else rest)[name]
    # A fault is read where the agent is that has it, and by evaluations, which look for what a backdoor leaves.
    agent, marked = str(job.arguments[0]), job.call == "evaluate"
    rest["faults"] = [one for one in rest["faults"] if agent in one["agents"] or (marked and one["kind"] == "backdoored")]
    return rest


def changeable(config: FederationConfig) -> tuple[str, ...]:
    """Models that may change unseen: backbones that are neither shipped, nor a package's, nor on this machine; and a server's."""
    names = dict.fromkeys(agent.backbone for agent in config.agents)
    hub = [name for name in names if not name.startswith(("embedded:", PREFIX)) and not exists(name)]
    return (*hub, *((config.engine.endpoint,) if config.engine.endpoint is not None else ()))


def _files(config: FederationConfig) -> str:
    """The content of problem files, private files, planted texts and backbones."""
    named = [config.data.problems, config.data.mbpp, config.guardrail.canary_file, *(agent.data for agent in config.agents)]
    weights = dict.fromkeys(agent.backbone for agent in config.agents if not agent.backbone.startswith("embedded:"))
    named += [str(packaged_file(name)) if name.startswith(PREFIX) else name for name in weights]
    there = [name for name in dict.fromkeys(named) if name is not None and exists(name)]
    return _sha256(*(_tree(Path(name).expanduser()) for name in there))


def _source(name: str) -> str:
    """Of ``module:object``, a workplace or a guardrail of one's own."""
    found = importlib.util.find_spec(name.partition(":")[0])
    return _tree(Path(found.origin)) if found is not None and found.origin is not None else ""


def _machine() -> str:
    return f"{machine_name()}, GPUs {os.environ.get('CUDA_VISIBLE_DEVICES', 'as they are')}"


@cache
def _packages() -> str:
    return "\n".join(sorted({f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions()}))


def _tree(path: Path) -> str:
    """SHA-256 of a file, or of all files under a folder with their names; compiled Python left out."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    inside = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix != ".pyc")
    return _sha256(*(f"{one.relative_to(path)} {_tree(one)}" for one in inside))


def _sha256(*parts: str) -> str:
    """Of ``parts`` as a list: where one ends and the next begins counts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
