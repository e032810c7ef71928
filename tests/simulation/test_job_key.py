"""Keys of jobs: two jobs share one only if nothing that either reads differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from knexa.baselines.tasks import SERVER, Adopt, Answer, Blend, Distil, Learn, Mean, Share, Tell
from knexa.config import FederationConfig, load_config
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.field_rules import rules
from knexa.matching.match import Match
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Ask, Study, Teach, Train
from knexa.simulation.engine import Job
from knexa.simulation.job_key import (
    UNREAD,
    UNREAD_BUT_BY_STUDENTS,
    UNREAD_BUT_IN_EXCHANGES,
    UNREAD_BY_EVALUATIONS,
    JobKeys,
    read_by,
    unread,
)
from knexa.simulation.loop import perform_job
from knexa.strategies import STRATEGIES

WORKPLACE = "knexa.participant.workplace:LearningWorkplace"
SMALL = [
    *("local.first_steps=1", "local.steps=1", "distillation.steps=1", "distillation.prompts=4", "generation.max_new_tokens=8"),
    *("evaluation.problems=2", "evaluation.samples=1", "evaluation.k=[1]"),
]
MATCH = Match("m-1", 1, "agent-1", "agent-2")


def evaluate(state: bytes, stage: str) -> Job:
    return Job("evaluate", f"evaluate-{stage}", "agent-1", 1, ("agent-1", state, stage, 1))


def guarded(config: FederationConfig, keys: tuple[str, ...]) -> FederationConfig:
    """``config``, but an AssertionError if one of ``keys`` is read."""
    sections: dict[str, set[str]] = {}
    for key in keys:
        section, _, name = key.rpartition(".")
        sections.setdefault(section, set()).add(name)
    inner = {section: _guarded(getattr(config, section), names) for section, names in sections.items() if section}
    return _guarded(config.model_copy(update=inner), sections.get("", set()))


def _guarded(model: Any, names: set[str]) -> Any:
    def read(self: BaseModel, name: str) -> Any:
        assert name not in names, f"a job reads {type(model).__name__}.{name}, which is left out of its key"
        return super(kind, self).__getattribute__(name)

    kind: Any = type(type(model).__name__, (type(model),), {"__getattribute__": read, "__module__": __name__})
    return kind.model_construct(**dict(model))


def small(**options: Any) -> FederationConfig:
    return load_config(sets=SMALL, **options)


@pytest.fixture
def guarding():
    """A function: the real workplace with a configuration that guards these keys."""
    opened: list[LearningWorkplace] = []

    def open_with(keys: tuple[str, ...], **options: Any) -> LearningWorkplace:
        opened.append(LearningWorkplace(guarded(small(**options), keys)))
        return opened[-1]

    yield open_with
    for one in opened:
        one.close()


def test_a_guard_notices_a_read():
    config = guarded(small(), ("strategy", "local.steps"))
    assert config.local.batch_size == 8
    for read in (lambda: config.strategy, lambda: config.local.steps):
        with pytest.raises(AssertionError, match="left out of its key"):
            read()


@pytest.mark.slow
def test_an_evaluation_reads_nothing_that_its_key_leaves_out(guarding):
    keys = (*UNREAD, *UNREAD_BUT_BY_STUDENTS, *UNREAD_BUT_IN_EXCHANGES, *UNREAD_BY_EVALUATIONS)
    workplace = guarding(keys)
    state = workplace.start("agent-1")
    for stage in ("start", "round", "end"):
        job = evaluate(state, stage)
        assert unread(job) == keys
        job.run(workplace)


@pytest.mark.slow
def test_who_trains_reads_nothing_that_the_key_leaves_out(guarding):
    keys = (*UNREAD, *UNREAD_BUT_BY_STUDENTS, *UNREAD_BUT_IN_EXCHANGES)
    workplace = guarding(keys)
    state = workplace.start("agent-1")
    for round in (1, 2):
        job = perform_job("agent-1", Train(round), state)
        assert unread(job) == keys
        _, state = job.run(workplace)


@pytest.mark.slow
def test_who_asks_or_teaches_reads_nothing_that_the_key_leaves_out(guarding):
    keys = (*UNREAD, *UNREAD_BUT_BY_STUDENTS)
    workplace = guarding(keys)
    state = workplace.start("agent-1")
    prompts = tuple(workplace.data.transfer_set.problems)[:2]
    for protocol in ("text", "logits", "adapter"):
        match = Match("m-1", 1, "agent-1", "agent-2", protocol)
        for work in (Ask(match), Teach(match, KnowledgeRequest("m-1", prompts, 2))):
            job = perform_job("agent-1", work, state)
            assert unread(job) == keys
            job.run(workplace)


@pytest.mark.slow
def test_who_studies_or_serves_a_server_reads_nothing_that_the_key_leaves_out(guarding):
    workplace = guarding(UNREAD)
    state = workplace.start("agent-2")
    transfer_set = workplace.data.transfer_set
    prompt = next(iter(transfer_set.problems))
    package = KnowledgePackage("m-1", transfer_set.digest, {prompt: "    return 1\n"})
    study = perform_job("agent-2", Study(MATCH, package), state)
    assert unread(study) == UNREAD
    study.run(workplace)
    texts, backbone = ((prompt, "    return 1\n"),), workplace.config.agents[1].backbone
    told, _ = workplace.assist("agent-2", Tell(texts), state, 1)
    soft, _ = workplace.assist(SERVER, Blend(backbone, texts, (told,)), b"", 1)
    shared, _ = workplace.assist("agent-2", Share(), state, 1)
    mean, _ = workplace.assist(SERVER, Mean((shared.adapter,), (1.0,)), b"", 1)
    for task in (Answer(2), Distil(texts, 1), Distil(texts, 1, soft), Learn(texts, 1), Adopt(mean)):
        job = Job("assist", "central", "agent-2", 1, ("agent-2", task, state, 1))
        assert unread(job) == UNREAD
        job.run(workplace)


def test_only_keys_of_the_configuration_that_strategies_change_are_left_out():
    known = {rule.key for rule in rules(FederationConfig)}
    changed = {key for strategy in STRATEGIES.values() for key in strategy.overrides} | {"central.method", "strategy"}
    budget = {"local.first_steps", "local.steps", "distillation.steps"}  # what knexa.config makes of strategies that distil nothing
    assert {*UNREAD, *UNREAD_BUT_BY_STUDENTS, *UNREAD_BUT_IN_EXCHANGES, *UNREAD_BY_EVALUATIONS} <= known & (changed | budget)


def test_strategies_share_what_is_the_same_for_them():
    """The evaluation of the start is that of every strategy; the first training too, unless gradient steps have moved into it."""

    def key(strategy: str, job: Job) -> str | None:
        return JobKeys(small(strategy=strategy), WORKPLACE).of(job)

    start, train = evaluate(b"state", "start"), perform_job("agent-1", Train(1), b"state")
    study = perform_job("agent-2", Study(MATCH, KnowledgePackage("m-1", "a" * 64, {})), b"state")
    assert len({key(strategy, start) for strategy in ("local", "random", "knexa", "fedavg")}) == 1
    assert key("random", train) == key("fedskd", train) == key("knexa-candidates", train) != key("local", train)
    assert key("knexa", study) == key("knexa-greedy", study) != key("knexa-no-rollback", study)


def test_whatever_a_job_reads_changes_its_key(tmp_path: Path):
    """Arguments, states, seeds, settings, and the content of files that have one name."""
    config, job = small(), perform_job("agent-1", Train(1), b"state")
    others = [
        perform_job("agent-2", Train(1), b"state"),
        perform_job("agent-1", Train(2), b"state"),
        perform_job("agent-1", Train(1), b"other state"),
        evaluate(b"state", "start"),
        evaluate(b"state", "end"),
    ]
    keys = [JobKeys(config, WORKPLACE).of(one) for one in (job, *others)]
    for sets in ("local.learning_rate=0.1", "matching.probe=false", "data.alpha=9.0", "engine.threads=2", "engine.device=cpu"):
        keys.append(JobKeys(load_config(sets=[*SMALL, sets]), WORKPLACE).of(job))
    keys.append(JobKeys(small(seed=1), WORKPLACE).of(job))
    backbone = tmp_path / "model"
    backbone.mkdir()
    agents = [agent.model_copy(update={"backbone": str(backbone)}) for agent in config.agents]
    for weights in (b"1", b"2"):
        (backbone / "model.safetensors").write_bytes(weights)
        keys.append(JobKeys(config.model_copy(update={"agents": tuple(agents)}), WORKPLACE).of(job))
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_engines_share_their_results():
    """Which engine and how many workers did it is no part of a key; equal keys are equal in any process."""
    job = perform_job("agent-1", Train(1), b"state")
    configs = [load_config(sets=[f"engine.kind={kind}", f"engine.workers={count}"]) for kind, count in (("serial", 1), ("processes", 3))]
    assert read_by(job, configs[0]) == read_by(job, configs[1])


def test_jobs_without_a_result_worth_keeping_have_no_key():
    keys = JobKeys(small(), WORKPLACE)
    assert keys.of(Job("start", "start", "agent-1", 0, ("agent-1",))) is None
    assert keys.of(Job("save", "save", "agent-1", 0, ("agent-1", b"state", Path("folder")))) is None


@pytest.mark.parametrize(
    ("setting", "model"), [("agents.0.backbone=somebody/model", "somebody/model"), ("engine.endpoint=http://127.0.0.1:1/v1", "http://")]
)
def test_weights_that_may_change_unseen_have_no_keys(setting: str, model: str):
    with pytest.raises(ValueError, match=f"two versions of {model}"):
        JobKeys(load_config(sets=[setting]), WORKPLACE)


def test_planted_texts_and_a_guardrail_of_ones_own_are_part_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both decide which texts leave a teacher: when they change, what was vetted before is not used again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plug, canaries = tmp_path / "own_guard_of_this_test.py", tmp_path / "canaries.txt"
    teach = perform_job("agent-1", Teach(Match("m-1", 1, "agent-1", "agent-2", "text"), KnowledgeRequest("m-1", ("p",), 1)), b"state")
    config = small()
    guardrail = config.guardrail.model_copy(update={"plug": "own_guard_of_this_test:review", "canary_file": str(canaries)})
    config = config.model_copy(update={"guardrail": guardrail})

    def key(code: str, planted: str) -> str | None:
        plug.write_text(code)
        canaries.write_text(planted)
        return JobKeys(config, WORKPLACE).of(teach)

    first = key("review = None\n", "one\n")
    assert key("review = None\n", "one\n") == first
    assert len({first, key("review = 0\n", "one\n"), key("review = None\n", "two\n")}) == 3
