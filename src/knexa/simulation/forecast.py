"""How long a run will still take: the jobs that are to come, and what those already done have cost.

A run begins with its dearest jobs, and most of its kinds come late. So what one kind has taken says something of another only by what both
are made of: texts that are learned and texts that are written.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from knexa.config import FederationConfig
from knexa.simulation.central import central_jobs
from knexa.simulation.engine import Cost, Job

#: A text that is learned (read, and its gradient taken) costs about as much as so many that are written (measured on the embedded fleet).
LEARNED = 2
#: Texts of an agent's profile, of all that a student measures before and after an exchange, of what an evaluation takes beside its answers.
PROFILE = 100
#: Problems of a split, whose size is not known before the run; the embedded bank's test split has 252.
SPLIT = 250


class Forecast:
    """Counts the jobs that a whole run takes, and estimates the time that is left from those already done."""

    def __init__(self, config: FederationConfig, *, rounds_done: int = 0, begun: bool = False) -> None:
        """``begun``: the starting states exist and are evaluated; ``rounds_done`` rounds are over."""
        agents, rounds = len(config.agents), config.rounds - rounds_done
        pairs = 0 if config.matching.matchmaker == "local" else min(config.matching.pairs or agents, agents // 2)
        trials = agents * (agents - 1) if config.matching.matchmaker == "oracle" else 0
        first = agents if rounds_done == 0 else 0
        self._left = Counter({"first-train": first, "train": rounds * agents - first, "transfer-set": 1})
        self._left.update({"evaluate-end": agents, "save": agents})
        every = config.evaluation.curve_every
        curves = config.rounds // every - rounds_done // every if every else 0
        self._left.update({"evaluate-round": curves * agents})
        for what in ("ask", "teach", "study"):
            self._left.update({what: rounds * pairs, f"trial-{what}": rounds * trials})
        self._left.update(central_jobs(config, rounds, begun=begun))
        if not begun:
            self._left.update({"start": agents, "evaluate-start": len({agent.backbone for agent in config.agents})})
        self._effort = effort(config)
        self._workers = config.engine.workers if config.engine.kind == "processes" else 1
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._timed: Counter[str] = Counter()
        self._done = 0

    @property
    def done(self) -> int:
        return self._done

    @property
    def jobs(self) -> int:
        return self.done + sum(max(0, left) for left in self._left.values())

    def note(self, cost: Cost) -> None:
        """One more job is done. Results that were known already say nothing of how long others take."""
        kind = kind_of(cost.job)
        self._left[kind] -= 1
        self._done += 1
        if cost.worker is not None:
            self._timed[kind] += 1
            self._seconds[kind] += cost.seconds

    def eta_s(self) -> float | None:
        """Seconds left: the mean of each kind of job times how many are to come; a kind not seen yet by its :func:`effort`.

        None until a job of some effort has been timed.
        """
        spent = sum(self._effort.get(kind, 0) * count for kind, count in self._timed.items())
        if not spent:
            return None
        each = sum(seconds for kind, seconds in self._seconds.items() if kind in self._effort) / spent
        total = 0.0
        for kind, left in self._left.items():
            seen = self._timed[kind]
            total += max(0, left) * (self._seconds[kind] / seen if seen else self._effort.get(kind, 0) * each)
        return total / self._workers


def kind_of(job: Job) -> str:
    """Jobs of one kind take about as long. The first local update has steps of its own."""
    return "first-train" if job.what == "train" and job.round == 1 else job.what


def effort(config: FederationConfig) -> dict[str, int]:
    """What a job of each kind costs, counted in texts that are written or read; kinds that take no time to speak of are left out."""
    local, distillation, evaluation = config.local, config.distillation, config.evaluation
    problems = evaluation.problems or SPLIT
    update = LEARNED * local.batch_size * local.accumulate
    step = LEARNED * (distillation.batch_size + distillation.own_batch_size) * local.accumulate
    study = distillation.steps * step + PROFILE
    answers = distillation.prompts
    told = len(config.agents) * answers
    texts = {
        "first-train": local.first_steps * update + PROFILE,
        "train": local.steps * update + PROFILE,
        "teach": answers,
        "study": study,
        "evaluate-start": problems * evaluation.samples + PROFILE,
        "evaluate-end": problems * evaluation.samples + PROFILE,
        "evaluate-round": SPLIT + PROFILE,
        "central-answer": answers,
        "central-tell": told,
        "central-blend": told,
        "central-distil": study,
        "central-learn": config.central.server_steps * step,
    }
    return texts | {f"trial-{what}": texts[what] for what in ("teach", "study")}
