"""How long a run will still take, as it is told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat

import pytest

from knexa.config import FederationConfig
from knexa.simulation.engine import Cost, Job
from knexa.simulation.forecast import Forecast, effort, kind_of

#: Seconds that a unit of effort takes in these tests.
UNIT = 0.25


@pytest.fixture(params=["knexa", "few steps", "large evaluation"])
def run(request: pytest.FixtureRequest, config: Callable[..., FederationConfig]) -> FederationConfig:
    sections = {
        "knexa": {},
        "few steps": {"local": {"first_steps": 2, "steps": 1}, "distillation": {"steps": 1, "prompts": 8}},
        "large evaluation": {"evaluation": {"problems": 500, "samples": 20}},
    }[request.param]
    return config(**{**sections, "evaluation": {"curve_every": 2, **sections.get("evaluation", {})}})


def jobs(run: FederationConfig) -> list[Job]:
    """Those of a whole run, in its order."""
    names = [agent.name for agent in run.agents]
    backbones = len({agent.backbone for agent in run.agents})
    kinds = [("start", 0, len(names)), ("transfer-set", 0, 1), ("evaluate-start", 0, backbones)]
    for round in range(1, run.rounds + 1):
        pairs = len(names) // 2
        kinds += [("train", round, len(names)), ("ask", round, pairs), ("teach", round, pairs), ("study", round, pairs)]
        if round % run.evaluation.curve_every == 0:
            kinds.append(("evaluate-round", round, len(names)))
    kinds += [("evaluate-end", run.rounds, len(names)), ("save", run.rounds, len(names))]
    return list(chain.from_iterable(repeat(Job(what, what, "agent", round, ()), count) for what, round, count in kinds))


def cost(run: FederationConfig, job: Job) -> Cost:
    return Cost(job, effort(run).get(kind_of(job), 0) * UNIT, worker=0)


def test_where_jobs_take_what_their_effort_says_the_forecast_is_right_from_the_first_that_takes_any(run: FederationConfig) -> None:
    forecast, costs = Forecast(run), [cost(run, job) for job in jobs(run)]
    for index, one in enumerate(costs):
        forecast.note(one)
        if any(earlier.seconds for earlier in costs[: index + 1]):
            assert forecast.eta_s() == pytest.approx(sum(later.seconds for later in costs[index + 1 :]))
        else:
            assert forecast.eta_s() is None
        assert forecast.jobs == len(costs)
    assert forecast.done == len(costs)


def test_a_kind_is_judged_by_its_own_time_once_it_has_been_seen(run: FederationConfig) -> None:
    """Whatever a job of any kind takes: where all of a kind take as long, nothing but those not seen yet can be judged wrongly."""
    seconds = {kind: 1.0 + index for index, kind in enumerate(sorted({kind_of(job) for job in jobs(run)}))}
    forecast, costs = Forecast(run), [Cost(job, seconds[kind_of(job)], worker=0) for job in jobs(run)]
    seen = set()
    for index, one in enumerate(costs):
        forecast.note(one)
        seen.add(kind_of(one.job))
        rest = costs[index + 1 :]
        if seen >= {kind_of(later.job) for later in rest}:
            assert forecast.eta_s() == pytest.approx(sum(later.seconds for later in rest))


def test_results_that_were_known_already_count_as_done_but_say_nothing_of_the_time_that_others_take(run: FederationConfig) -> None:
    forecast, costs = Forecast(run), [cost(run, job) for job in jobs(run)]
    known = sum(one.job.round < 2 for one in costs)
    for one in costs[:known]:
        forecast.note(Cost(one.job, 1e-3, worker=None))
    assert forecast.eta_s() is None
    assert forecast.done == known
    forecast.note(costs[known])
    assert forecast.eta_s() == pytest.approx(sum(later.seconds for later in costs[known + 1 :]))


def test_workers_share_what_is_left(run: FederationConfig) -> None:
    many = run.model_copy(update={"engine": run.engine.model_copy(update={"kind": "processes", "workers": 4})})
    one, four = Forecast(run), Forecast(many)
    for job in jobs(run)[: len(run.agents) + 2]:
        one.note(cost(run, job))
        four.note(cost(run, job))
    alone = one.eta_s()
    assert alone
    assert four.eta_s() == pytest.approx(alone / 4)


def test_a_resumed_run_counts_what_is_left(run: FederationConfig) -> None:
    left = [job for job in jobs(run) if job.round > 1] + [Job("transfer-set", "transfer-set", "", 0, ())]
    forecast = Forecast(run, rounds_done=1, begun=True)
    assert forecast.jobs == len(left)
    for job in left:
        forecast.note(cost(run, job))
    assert forecast.eta_s() == 0
    assert forecast.jobs == len(left)


def test_every_kind_that_takes_time_has_an_effort(run: FederationConfig) -> None:
    assert {kind_of(job) for job in jobs(run)} - set(effort(run)) == {"start", "transfer-set", "ask", "save"}
