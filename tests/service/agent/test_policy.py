"""An agent's own policy: what it vetoes, and what it lets through."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from knexa.config import GuardrailConfig
from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.package import KnowledgePackage
from knexa.matching.match import Match
from knexa.service.agent.policy import DAY_S, Exchanged, Policy, check_names, load_policy
from knexa.service.identity import Identity

MEMBERS = {name: Identity(organisation, name) for name, organisation in (("a", "clinic"), ("b", "clinic"), ("c", "bank"))}
NOON = time.mktime((2026, 3, 2, 12, 0, 0, 0, 0, -1))


def vetoed(policy: Policy, teacher: str, student: str, *, own: str = "a", book: tuple[Exchanged, ...] = (), protocol: str = "text") -> str:
    return policy.veto(Match("r1-a-b", 1, teacher, student, protocol, (), 0.0, 1.0), own, MEMBERS, book, NOON)


def package(texts: int) -> KnowledgePackage:
    return KnowledgePackage("r1-a-b", "a" * 64, {f"p-{number}": "x" * 100 for number in range(texts)})


def test_without_a_file_everything_is_allowed() -> None:
    """Terms of federation.toml still hold; a policy only takes away."""
    policy = load_policy(None)
    assert all(vetoed(policy, *pair, protocol=protocol) == "" for pair in ("ab", "ba", "ac") for protocol in ("text", "logits", "adapter"))
    assert len(policy.sendable(package(50), "b", MEMBERS, (), NOON).texts) == 50


def test_names_are_of_agents_or_of_their_organisations() -> None:
    """Teaching and learning are allowed apart."""
    policy = Policy(teaches=("clinic",), learns_from=("c",))
    assert vetoed(policy, "a", "b") == ""
    assert "teaches" in vetoed(policy, "a", "c")
    assert vetoed(policy, "c", "a") == ""
    assert "learns_from" in vetoed(policy, "b", "a")


def test_nobody_is_a_list_of_its_own() -> None:
    """An empty list is no missing one."""
    assert "teaches" in vetoed(Policy(teaches=()), "a", "b")


def test_quotas_are_of_the_last_day() -> None:
    """What was taught or taken longer ago does not count; bytes count in both directions."""
    lately, before = Exchanged(NOON - 60, True, 2048), Exchanged(NOON - DAY_S - 1, True, 2048)
    assert "lessons_a_day" in vetoed(Policy(lessons_a_day=1), "a", "b", book=(lately,))
    assert vetoed(Policy(lessons_a_day=1), "a", "b", book=(before,)) == ""
    assert vetoed(Policy(lessons_a_day=1), "b", "a", book=(lately,)) == "", "learning is no lesson"
    assert "kilobytes_a_day" in vetoed(Policy(kilobytes_a_day=2), "b", "a", book=(lately,))
    assert vetoed(Policy(kilobytes_a_day=2.1), "b", "a", book=(lately,)) == ""


@pytest.mark.parametrize(
    ("hours", "allowed"), [("08:00-18:00", True), ("13:00-18:00", False), ("20:00-06:00", False), ("11:00-06:00", True)]
)
def test_hours_are_local_and_may_go_over_midnight(hours: str, allowed: bool) -> None:
    """It is noon here."""
    assert (vetoed(Policy(hours=hours), "a", "b") == "") is allowed


def test_a_package_is_cut_to_what_may_be_sent_and_refused_where_it_cannot_be() -> None:
    """Whole answers are left out; one that was taken too large is an error."""
    policy = Policy(kilobytes=1)
    sent = policy.sendable(package(50), "b", MEMBERS, (), NOON)
    assert 0 < len(sent.texts) < 50
    assert len(sent.to_bytes()) <= 1024
    with pytest.raises(PeerError, match=r"policy allows 1\.0 now"):
        policy.check_size(package(50), (), NOON)


def test_a_days_quota_bounds_the_last_package_of_the_day_too(tmp_path: Path) -> None:
    """What is left of the day is all that a package may have; nothing left is no package."""
    policy, before = Policy(kilobytes_a_day=3), Exchanged(NOON - 60, False, 2048)
    assert len(policy.sendable(package(50), "b", MEMBERS, (before,), NOON).to_bytes()) <= 1024
    with pytest.raises(PeerError):
        policy.check_size(package(50), (before,), NOON)
    with pytest.raises(PeerError):
        policy.sendable(package(50), "b", MEMBERS, (before, before), NOON)


def test_quotas_for_each_organisation_count_all_of_its_agents_and_nobody_else() -> None:
    """What ``b`` and its sister have had is theirs together; what the bank has had, or what was taken, does not count."""
    members = {**MEMBERS, "d": Identity("bank", "d")}
    book = (
        Exchanged(NOON - 60, True, 2048, "c", 30),
        Exchanged(NOON - 60, False, 9999, "d", 99),
        Exchanged(NOON - 60, True, 512, "b", 5),
        Exchanged(NOON - DAY_S - 1, True, 9999, "d", 99),
    )
    policy = Policy(texts_a_day_each=40)
    assert len(policy.sendable(package(50), "d", members, book, NOON).texts) == 10
    assert len(policy.sendable(package(50), "b", members, book, NOON).texts) == 35
    assert policy.veto(Match("r1-a-d", 1, "a", "d"), "a", members, book, NOON) == ""
    assert "bank has had 30 texts" in Policy(texts_a_day_each=30).veto(Match("r1-a-d", 1, "a", "d"), "a", members, book, NOON)
    assert "kilobytes_a_day_each" in Policy(kilobytes_a_day_each=2).veto(Match("r1-a-d", 1, "a", "d"), "a", members, book, NOON)
    assert Policy(kilobytes_a_day_each=2).veto(Match("r1-d-a", 1, "d", "a"), "a", members, book, NOON) == "", "it learns"
    assert len(Policy(kilobytes_a_day_each=3).sendable(package(50), "d", members, book, NOON).to_bytes()) <= 1024


def test_a_policy_changes_only_what_it_names_of_the_guardrail() -> None:
    """All else is as the federation has it."""
    federation = GuardrailConfig(personal="block", sier=0.5)
    assert Policy().guardrail_over(federation) == federation
    own = Policy.model_validate({"guardrail": {"secrets": "quarantine"}}).guardrail_over(federation)
    assert (own.secrets, own.personal, own.sier) == ("quarantine", "block", 0.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('hours = "20:00-20:00"', "which is never"),
        ('hours = "8-18"', r"hours: found '8-18'"),
        ("lessons_a_day = -1", "lessons_a_day: found -1; allowed: a whole number of at least 0"),
        ("teach = []", "teach"),
        ('protocols = ["carrier pigeon"]', "carrier pigeon"),
        ("lessons_a_day = ", "not valid TOML"),
        ('[guardrail]\nsecrets = "perhaps"', "guardrail.secrets: found 'perhaps'"),
        ("[guardrail]\nsecret = 'block'", "secret"),
    ],
)
def test_a_slip_in_the_file_is_said(tmp_path: Path, content: str, said: str) -> None:
    """The key, what was found, and what is allowed: nothing is ignored."""
    path = tmp_path / "policy.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        load_policy(path)


def test_a_missing_file_and_an_unknown_name_are_said(tmp_path: Path) -> None:
    """A policy that was never read, or that names nobody, would veto the wrong things in silence."""
    with pytest.raises(ConfigurationError, match=r"pass a policy\.toml"):
        load_policy(tmp_path / "policy.toml")
    with pytest.raises(ConfigurationError, match="teaches: found 'clinik'"):
        check_names(Policy(teaches=("clinik",)), MEMBERS)
    check_names(Policy(teaches=("clinic", "c"), learns_from=()), MEMBERS)
    with pytest.raises(ConfigurationError, match="name the agents one by one"):
        check_names(Policy(teaches=("clinic",)), {**MEMBERS, "clinic": Identity("bank", "clinic")})
