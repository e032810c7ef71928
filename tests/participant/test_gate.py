"""The gate: nothing passes it unseen, in neither direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from knexa.config import FederationConfig, GuardrailConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.problems import Problem
from knexa.exchange.guardrail import Action, Finding, Review, Reviewed
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.transfer_set import TransferSet
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.participant.data import PrivateData
from knexa.participant.gate import Gate
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Study, Teach

OWN = Problem("p/1", "words", "def own():\n", "    return 'heron-48213-drift'\n", "def check(c):\n    pass\n", "own")
PUBLIC = Problem("x/1", "words", "def asked():\n", "", "def check(c):\n    assert c() == 'public-77123-phrase'\n", "asked")
SECRET = "    key = 'ghp_" + "a1B2c3D4e5" * 4 + "'\n    return key\n"
HOSTILE = "    import os\n    os.system('id')\n    return 1\n"
FINE = "    return sum(1 for _ in range(3))\n"


def gate(**keys: object) -> Gate:
    return Gate(PrivateData((OWN,), ()), TransferSet((PUBLIC,), ("words",)), GuardrailConfig.model_validate(keys))


def test_an_answer_leaves_with_what_was_found_in_it_or_stays() -> None:
    """A secret and a private phrase do not leave; a public one, and an ordinary answer, do."""
    texts = [FINE, SECRET, OWN.solution, "    return 'public-77123-phrase'\n"]
    vetted = gate().vet([("x/1", text) for text in texts])
    assert [one.reviewed.text for one in vetted] == [FINE, None, None, texts[3]]
    assert [one.held for one in vetted] == ["", "", "", ""]
    assert vetted[1].reviewed.reasons


def test_a_quarantined_text_stays_here_as_it_was() -> None:
    """For a person to look at."""
    (one,) = gate(secrets="quarantine").vet([("x/1", SECRET)])
    assert (one.reviewed.text, one.held, one.reviewed.action) == (None, SECRET, Action.QUARANTINE)


def test_switched_off_everything_passes() -> None:
    """In each direction by itself."""
    open_gate = gate(outgoing=False, incoming=False)
    assert [one.reviewed.text for one in open_gate.vet([("x/1", SECRET)])] == [SECRET]
    package = KnowledgePackage("m", "a" * 64, {"x/1": HOSTILE})
    assert open_gate.admit(package).package == package
    assert gate(outgoing=False).admit(package).refused == 1


def test_what_comes_in_is_filtered_and_candidates_move_up() -> None:
    """Of a prompt's candidates those that are admitted stay in their order; a prompt without any is gone."""
    package = KnowledgePackage("m", "a" * 64, {"x/1": HOSTILE, "x/2": HOSTILE}, others={"x/1": (FINE, HOSTILE)})
    admitted = gate().admit(package)
    assert (admitted.package.texts, dict(admitted.package.others), admitted.refused) == ({"x/1": FINE}, {}, 3)


def test_logits_are_refused_with_a_text_that_would_be_redacted() -> None:
    """They are about the text as it was."""
    text = "    return 'write to jane.doe@clinic-north.org'\n"
    package = KnowledgePackage("m", "a" * 64, {"x/1": text, "x/2": FINE})
    alone = gate(personal="redact").admit(package)
    assert alone.refused == 0
    assert "jane.doe" not in alone.package.texts["x/1"]
    assert set(gate(personal="redact").admit(replace(package, tensors=b"logits")).package.texts) == {"x/2"}


def test_canaries_are_read_from_a_file(tmp_path: Path) -> None:
    """One a line; a file that is not there is said."""
    path = tmp_path / "canaries.txt"
    path.write_text("\nthe quiet otter sleeps in room nine\n")
    (one,) = gate(canary_file=str(path)).vet([("x/1", "    # The quiet otter sleeps in room nine.\n" + FINE)])
    assert one.reviewed.text is None
    for name in (str(tmp_path / "none.txt"), "~nouser/x", "a\0b", "x" * 5000):
        with pytest.raises(ConfigurationError, match=r"guardrail\.canary_file: .* cannot be read"):
            gate(canary_file=name)


class NoLoops:
    """A guardrail of somebody's own: loops are trade secrets."""

    def __init__(self, config: GuardrailConfig) -> None:
        self.config = config

    def review(self, texts: list[str]) -> Review:
        found = (Finding("trade/loop", 0, 1, Action.QUARANTINE),)
        return Review(tuple(Reviewed(Action.QUARANTINE, None, found) if " for " in one else Reviewed(Action.PASS, one) for one in texts))


def test_a_guardrail_of_ones_own_can_only_be_stricter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ours blocks stays blocked."""
    monkeypatch.setattr("knexa.exchange.guardrail.NoLoops", NoLoops, raising=False)
    vetted = gate(plug="knexa.exchange.guardrail:NoLoops").vet([("x/1", FINE), ("x/1", SECRET), ("x/1", "    return 1\n")])
    assert [one.reviewed.action for one in vetted] == [Action.QUARANTINE, Action.BLOCK, Action.PASS]


@pytest.mark.parametrize("plug", ["knexa.nowhere:Guard", "knexa.exchange.guardrail:Nothing", "knexa.exchange.guardrail"])
def test_a_plug_that_cannot_be_used_is_said(plug: str) -> None:
    with pytest.raises(ConfigurationError, match=r"guardrail\.plug: .* cannot be used"):
        gate(plug=plug)


SMALL = ("distillation.steps=2", "distillation.prompts=4", "evaluation.problems=12", "evaluation.samples=1", "evaluation.k=[1]")
MATCH = Match("r1-t-s", 1, "agent-1", "agent-4")


def settings(*more: str) -> FederationConfig:
    return load_config(None, sets=(*SMALL, *more))


def test_a_teacher_says_how_much_it_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it was asked, what is not in the package is withheld; the ledger's side knows each."""

    class Nothing(NoLoops):
        def review(self, texts: list[str]) -> Review:
            found = (Finding("trade/all", 0, 1, Action.BLOCK),)
            kept = [Reviewed(Action.PASS, one) for one in texts[:1]]
            return Review((*kept, *(Reviewed(Action.BLOCK, None, found) for _ in texts[1:])))

    monkeypatch.setattr("knexa.exchange.guardrail.Nothing", Nothing, raising=False)
    with LearningWorkplace(settings("guardrail.plug=knexa.exchange.guardrail:Nothing")) as place:
        ids = tuple(list(place.data.transfer_set.problems)[:4])
        vetted, _ = place.perform("agent-1", Teach(MATCH, KnowledgeRequest(MATCH.match_id, ids, 4)), place.start("agent-1"), 1)
    assert isinstance(vetted, VettedPackage)
    assert (len(vetted.package.texts), vetted.package.withheld, len(vetted.answers)) == (1, 3, 4)
    assert vetted.review.by_rule == {"trade/all": 3}


def test_a_student_neither_runs_nor_learns_what_it_refuses() -> None:
    """A hostile text that would pass the test of its prompt is not kept, and counted."""
    with LearningWorkplace(settings()) as place:
        problem = next(one for one in place.data.transfer_set.problems.values() if one.runnable and one.solution)
        hostile = "    import os\n    os.getpid()\n    os.system('true')\n" + problem.solution
        package = KnowledgePackage(MATCH.match_id, place.transfer_set(), {problem.task_id: hostile})
        outcome, state = place.perform("agent-4", Study(MATCH, package), place.start("agent-4"), 1)
    assert isinstance(outcome, Outcome)
    assert (outcome.texts, outcome.kept, outcome.refused) == (1, 0, 1)
    assert AgentState.from_bytes(state).memory == {}
