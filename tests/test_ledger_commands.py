"""``knexa ledger``: what a data officer sees, and what is said where it does not hold together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from command_line import knexa

from knexa.exchange.guardrail import Action, Finding, Reviewed
from knexa.exchange.ledger import Departure, Ledger, verify
from knexa.exchange.package import KnowledgePackage
from knexa.exchange.vetting import VettedAnswer, VettedPackage

FOUND = (Finding("secret/token", 0, 4, Action.QUARANTINE), Finding("personal/email", 5, 9, Action.REDACT))
LEFT = VettedAnswer("p/1", Reviewed(Action.PASS, "    return 1\n", tokens=2))
HELD = VettedAnswer("p/2", Reviewed(Action.QUARANTINE, None, FOUND), "a secret\n")


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with the ledgers of two agents, and the working directory in it."""
    for agent, answers in (("agent-1", (LEFT, HELD)), ("agent-2", (LEFT,))):
        package = KnowledgePackage("r1", "a" * 64, {"p/1": "    return 1\n"})
        with Ledger(tmp_path / "agents" / agent / "ledger.jsonl") as ledger:
            ledger.enter(Departure(1.8e9, "r1", 1, "agent-3", "text", "ab" * 32), VettedPackage(package, answers), package)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_show_counts_by_agent_and_names_rules_without_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts are shown on request only."""
    assert knexa("ledger", "show", ".") == 0
    said = capsys.readouterr().out
    assert "secret/token: found in 1 texts that are held here" in said
    assert "a secret" not in said
    assert knexa("ledger", "show", "agents/agent-1", "--what", "quarantined", "--texts") == 0
    said = capsys.readouterr().out
    assert "2027-01-15 08:00:00  quarantined to agent-3, r1, p/2: 9 bytes (secret/token, personal/email)" in said
    assert "    a secret" in said
    assert "return 1" not in said


def test_show_takes_a_family_of_rules_or_a_student(capsys: pytest.CaptureFixture[str]) -> None:
    """The filters together; as JSON for scripts."""
    assert knexa("ledger", "show", ".", "--rule", "secret", "--to", "agent-3", "--json") == 0
    assert [one["number"] for one in json.loads(capsys.readouterr().out)["entries"]] == [2]
    assert knexa("ledger", "show", ".", "--rule", "secret/tok", "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"] == []


def test_verify_tells_the_head_and_compares_with_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A head of before still holds; one that is not there does not."""
    _, head = verify(run / "agents" / "agent-1" / "ledger.jsonl")
    assert knexa("ledger", "verify", ".") == 0
    assert f"agent-1: 2 entries hold together; head {head}" in capsys.readouterr().out
    assert knexa("ledger", "verify", "agents/agent-1", "--head", head) == 0
    assert knexa("ledger", "verify", "agents/agent-1", "--head", "0" * 63 + "1") == 2
    assert "cut off or written anew" in capsys.readouterr().err
    assert knexa("ledger", "verify", ".", "--head", head) == 2
    assert "a head belongs to one" in capsys.readouterr().err


def test_a_broken_chain_ends_every_verb(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line at fault is named, and nothing is exported."""
    path = run / "agents" / "agent-1" / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"agent-3"', b'"agent-4"', 1))
    for arguments in (("show", "."), ("verify", "."), ("export", ".", "--out", "out.csv"), ("forget", "agents/agent-1", "--entries", "1")):
        assert knexa("ledger", *arguments) == 2
        assert "ledger.jsonl, line 1: the chain is broken here" in capsys.readouterr().err
    assert not (run / "out.csv").exists()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_export_writes_each_entry_once_for_its_owner_alone(run: Path, kind: str) -> None:
    """Without texts unless they are asked for; never over a file that is there."""
    assert knexa("ledger", "export", ".", "--out", f"all.{kind}") == 0
    text = (run / f"all.{kind}").read_text()
    rows = list(csv.DictReader(text.splitlines())) if kind == "csv" else [json.loads(line) for line in text.splitlines()]
    assert [(row["agent"], int(row["number"]), row["what"]) for row in rows] == [
        ("agent-1", 1, "left"),
        ("agent-1", 2, "quarantined"),
        ("agent-2", 1, "left"),
    ]
    assert "a secret" not in text
    assert (run / f"all.{kind}").stat().st_mode & 0o777 == 0o600
    assert knexa("ledger", "export", ".", "--out", f"all.{kind}", "--texts") == 2
    assert knexa("ledger", "export", ".", "--out", f"texts.{kind}", "--texts") == 0
    assert "a secret" in (run / f"texts.{kind}").read_text()


def test_forget_deletes_texts_and_keeps_the_chain(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By numbers and ranges."""
    before = verify(run / "agents" / "agent-1" / "ledger.jsonl")
    assert knexa("ledger", "forget", "agents/agent-1", "--entries", "1-2") == 0
    assert verify(run / "agents" / "agent-1" / "ledger.jsonl") == before
    assert "a secret" not in (run / "agents" / "agent-1" / "ledger.jsonl").read_text()
    capsys.readouterr()
    assert knexa("ledger", "forget", "agents/agent-1", "--entries", "1-2,2") == 0
    assert "the texts of 2 entries are deleted" in capsys.readouterr().out
    for wrong in ("one", "2-1", "1-99999999999", "²", "-1", "", "1--2"):
        assert knexa("ledger", "forget", "agents/agent-1", f"--entries={wrong}") == 2
        allowed = "allowed: numbers and rising ranges of at most 1,000,000, such as 3,7-9"
        assert capsys.readouterr().err == f"knexa: --entries: found {wrong!r}; {allowed}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nowhere"), "nowhere: no agent that has taught keeps a ledger.jsonl here"),
        (("show", ".", "--what", "gone"), "--what: found 'gone'; allowed: left, cut, quarantined, blocked"),
        (("export", ".", "--out", "all.xls"), "--out: found all.xls; allowed: a file that ends with .csv or .jsonl"),
        (("forget", ".", "--entries", "1"), ". holds 2 ledgers; pass the folder of an agent"),
    ],
)
def test_mistakes_are_said(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert knexa("ledger", *arguments) == 2
    assert said in capsys.readouterr().err
