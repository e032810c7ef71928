"""Lists of revoked certificates travel through anybody's hands, and count by their organisation's signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from knexa.errors import PeerError
from knexa.service.identity import Authority, TrustStore
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.trust import utc_now
from knexa.service.revocation import LARGEST, admit, exchanged, question
from knexa.service.wire import federation_pb2 as pb


@pytest.fixture
def north(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "north", "north", utc_now())


def trusting(folder: Path, *authorities: Authority) -> TrustStore:
    trust = TrustStore.create(folder)
    for authority in authorities:
        trust.admit(authority.trust.root_pem(authority.organisation), authority.organisation, utc_now())
    return trust


def test_a_revocation_reaches_an_agent_of_another_organisation(tmp_path: Path, north: Authority) -> None:
    """From the authority's agent to the coordinator, from there to everybody: then the key is refused there too."""
    agent = AgentFolder.create(tmp_path / "clinic", north.member("clinic"))
    certificate = north.issue(agent.request(), "clinic", utc_now(), folder=agent.path)
    grant = north.grant(certificate)
    shown = grant.certificate.encode() if grant.certificate else b""
    coordinator, other = trusting(tmp_path / "cpm", north), trusting(tmp_path / "south", north)
    assert other.verify(shown, utc_now()).name == "clinic"
    north.revoke("clinic", utc_now())
    exchanged(question(north.trust, "north"), coordinator)
    assert admit(exchanged(pb.Lists(), coordinator).lists, other) == 1
    with pytest.raises(PeerError, match="revoked"):
        other.verify(shown, utc_now())


def test_who_holds_everything_is_sent_nothing(tmp_path: Path, north: Authority) -> None:
    """A question names what is held, so an answer is empty most of the time."""
    coordinator = trusting(tmp_path / "cpm", north)
    exchanged(question(north.trust, "north"), coordinator)
    assert list(coordinator.lists().values()) == list(north.trust.lists().values())
    assert list(exchanged(question(north.trust, "north"), coordinator).lists) == []


def test_an_older_list_replaces_nothing(tmp_path: Path, north: Authority) -> None:
    """Somebody who kept an old list cannot bring a revoked key back with it."""
    coordinator = trusting(tmp_path / "cpm", north)
    old = list(north.trust.lists().values())
    agent = AgentFolder.create(tmp_path / "clinic", north.member("clinic"))
    north.issue(agent.request(), "clinic", utc_now(), folder=agent.path)
    north.revoke("clinic", utc_now())
    exchanged(question(north.trust, "north"), coordinator)
    newest = list(coordinator.lists().values())
    exchanged(pb.Lists(lists=old), coordinator)
    assert list(coordinator.lists().values()) == newest != old


def test_a_list_of_nobody_trusted_is_refused(tmp_path: Path, north: Authority) -> None:
    """And so is rubbish; what is held stays."""
    coordinator = trusting(tmp_path / "cpm", north)
    before = list(coordinator.lists().values())
    stranger = Authority.create(tmp_path / "stranger", "stranger", utc_now())
    for lists in (list(stranger.trust.lists().values()), [b"rubbish"], [bytes(LARGEST + 1)]):
        with pytest.raises(PeerError):
            exchanged(pb.Lists(lists=lists), coordinator)
    assert list(coordinator.lists().values()) == before
    with pytest.raises(PeerError):
        admit([*list(stranger.trust.lists().values()), *list(north.trust.lists().values())], coordinator)
    assert list(coordinator.lists().values()) == list(north.trust.lists().values()), "a bad list does not keep a good one from being heard"
