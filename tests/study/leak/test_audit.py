"""The audit of a real run: what is known is found, and what is not is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import knexa
from synthetic_run import write_run

from knexa.config import FederationConfig, load_config
from knexa.errors import RunFolderError
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.exchange.guardrail import Action, Reviewed
from knexa.exchange.ledger import Departure, Ledger, verified
from knexa.exchange.package import KnowledgePackage
from knexa.exchange.vetting import VettedAnswer, VettedPackage
from knexa.participant.data import PrivateData, federation_data
from knexa.simulation.federation import Federation
from knexa.simulation.ledgers import ledger_of
from knexa.simulation.run_folder import read_config
from knexa.study.leak import audit
from knexa.study.leak.audit import CANDIDATES, LeakReport, audit_leak

SMALL = (
    *("rounds=2", "engine.kind=serial", "local.first_steps=60", "distillation.steps=4", "distillation.prompts=12", "data.private=200"),
    *("data.minimum=10", "evaluation.problems=12", "evaluation.samples=1", "evaluation.k=[1]", "evaluation.curve_every=0"),
    *("data.canaries=4", "data.canary_repeats=[1,16]"),
)


def settings() -> FederationConfig:
    config = load_config(None, sets=SMALL)
    return config.model_copy(update={"agents": config.agents[1:4:2]})  # two of the small backbone


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Federation(settings()).run(tmp_path_factory.mktemp("leak") / "run").folder


@pytest.fixture(scope="module")
def report(run: Path) -> LeakReport:
    return audit_leak(run)


@pytest.mark.slow
def test_an_owner_knows_what_stands_often_in_its_data(report: LeakReport) -> None:
    """Sixteen repeats are learned by heart; nothing of them left."""
    once, often = report.canaries
    assert (once.repeats, often.repeats) == (1, 16)
    known = often.exposure["owner"]
    assert known is not None
    assert known.mean > 5.0
    assert all(count == 0 and chances == 4 for row in report.canaries for _, (count, chances) in row.verbatim.items())
    assert {row.hop for row in report.membership if row.attack == "loss" and row.auc is not None} >= {"owner", "one hop"}


@pytest.mark.slow
def test_counts_are_those_of_the_ledgers(run: Path, report: LeakReport) -> None:
    """Every text that left was looked at."""
    entries = [entry for path in sorted(run.glob("agents/*/ledger.jsonl")) for entry in verified(path)]
    assert report.left == sum(entry.what == "left" for entry in entries)
    assert report.left + report.withheld == len(entries)
    assert all(row.texts == report.left for row in report.overlap if row.hop == "one hop")


@pytest.mark.slow
def test_a_canary_and_a_copy_that_left_are_found(run: Path, report: LeakReport, tmp_path: Path) -> None:
    """Written into the ledger as if a guardrail had let them through: the audit has to see both."""
    data = federation_data(settings())
    name, private = next(iter(data.private.items()))
    copied = max((one.solution for one in private.train), key=len)
    texts = {"p/1": private.canaries[0].problem.solution, "p/2": copied}
    package = KnowledgePackage("r3-x", "a" * 64, texts)
    answers = tuple(VettedAnswer(prompt, Reviewed(Action.PASS, text)) for prompt, text in texts.items())
    path = ledger_of(run, name)
    before = path.read_bytes() if path.exists() else b""
    try:
        with Ledger(path) as ledger:
            ledger.enter(Departure(9.0, "r3-x", 3, "someone", "text"), VettedPackage(package, answers), package)
        after = audit_leak(run)
    finally:
        path.write_bytes(before)
    assert {row.repeats: row.verbatim["one hop"][0] for row in after.canaries} == {1: 1, 16: 0}
    holding = {row.length: row.holding for row in report.overlap if row.hop == "one hop"}
    assert next(row.holding for row in after.overlap if (row.length, row.hop) == (12, "one hop")) > holding[12]


@pytest.mark.slow
def test_the_command_tells_figures_with_intervals(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people, with what is not covered; and as JSON, with the same numbers."""
    assert knexa("audit", "leak", str(run)) == 0
    said = capsys.readouterr().out
    assert "0/4" in said
    assert "What these do not cover" in said
    assert knexa("audit", "leak", str(run), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left"] == audit_leak(run).left
    assert all(row["exposure"]["owner"]["mean"] <= CANDIDATES.bit_length() for row in told["canaries"])


class OfTexts:
    """A workplace without models: every agent has learned the first two of four texts."""

    def __init__(self, config: FederationConfig) -> None:
        bodies = [f"return sum(one * {number} for one in values if one > {number})" for number in range(4)]
        problems = [Problem(f"p/{number}", CATEGORIES[0], "def f(values):\n", body, "", "f") for number, body in enumerate(bodies)]
        private = {agent.name: PrivateData(tuple(problems[:2]), tuple(problems[2:])) for agent in config.agents}
        self.data = SimpleNamespace(private=private, transfer_set=SimpleNamespace(problems={}))

    def __enter__(self) -> OfTexts:
        return self

    def __exit__(self, *error: object) -> None: ...

    def final_losses(self, model: str, folder: Path) -> Callable[[Sequence[tuple[str, str]]], list[float]]:
        return lambda texts: [1.0] * len(texts)


@pytest.mark.parametrize("sending", [0, 1, 3])
def test_an_agent_that_sent_nothing_is_not_counted_as_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sending: int) -> None:
    """The texts that left tell all about those who sent what they had learned; of the others, and of nobody at all, nothing is said."""
    monkeypatch.setattr(audit, "LearningWorkplace", OfTexts)
    folder = write_run(tmp_path / "run")
    for name, private in list(OfTexts(read_config(folder)).data.private.items())[:sending]:
        texts = {one.task_id: one.solution for one in private.train}
        package = KnowledgePackage("r9-x", "a" * 64, texts)
        answers = tuple(VettedAnswer(prompt, Reviewed(Action.PASS, text)) for prompt, text in texts.items())
        with Ledger(ledger_of(folder, name)) as ledger:
            ledger.enter(Departure(9.0, "r9-x", 9, "someone", "text"), VettedPackage(package, answers), package)
    (auc,) = [row.auc for row in audit_leak(folder).membership if (row.attack, row.hop) == ("texts", "one hop")]
    assert (auc is None) == (sending == 0)
    if auc is not None:
        assert (auc.mean, auc.count) == (1.0, sending)


def test_a_run_without_an_end_cannot_be_audited(tmp_path: Path) -> None:
    """It has no final adapters; a folder that holds no run is said to be none."""
    with pytest.raises(RunFolderError, match="has not come to its end"):
        audit_leak(write_run(tmp_path / "run", until="rounds"))
    with pytest.raises(RunFolderError, match="is no run folder"):
        audit_leak(tmp_path)
