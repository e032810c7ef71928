"""The key that an agent checks tickets with: the coordinator's of now, and never somebody else's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from local_federation import small

from knexa.errors import PeerError
from knexa.exchange.signing import VerifyingKey
from knexa.service.agent.ourselves import CoordinatorKey
from knexa.service.identity import CPM, Authority, Credentials, Identity
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.trust import utc_now
from knexa.service.local import OPERATOR, provision


def test_a_new_key_is_taken_over_and_nobody_elses_is(tmp_path: Path) -> None:
    """What its organisation vouches for counts; another agent's certificate, bytes that are none, or an expired one change nothing."""
    identities = provision(small(), tmp_path)
    trust = Credentials(identities["agent-1"]).trust
    shown = {name: Credentials(identities[name]).current()[1] for name in (CPM, "agent-2")}
    key = CoordinatorKey(Identity(OPERATOR, CPM), trust, shown[CPM])
    assert key.now.fingerprint == VerifyingKey.from_certificate_pem(shown[CPM]).fingerprint

    authority = Authority.open(tmp_path / f"ca-{OPERATOR}")
    authority.revoke(CPM, utc_now())
    folder = AgentFolder.create(tmp_path / "new", authority.member(CPM))
    expired = authority.issue(folder.request(), CPM, utc_now() - timedelta(days=2), folder=folder.path)
    for wrong in (shown["agent-2"], b"no certificate", b"", expired.public_bytes(Encoding.PEM)):
        with pytest.raises(PeerError):
            key.take(wrong)
        assert key.now.fingerprint == VerifyingKey.from_certificate_pem(shown[CPM]).fingerprint

    certificate = authority.issue(folder.request(), CPM, utc_now(), folder=folder.path)
    folder.install(authority.grant(certificate), utc_now())
    renewed = Credentials(folder.path).current()[1]
    key.take(renewed)
    assert key.now.fingerprint == VerifyingKey.from_certificate_pem(renewed).fingerprint
