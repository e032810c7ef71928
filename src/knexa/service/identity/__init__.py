"""Identities of organisations, matchmakers and agents: who vouches for whom, how one joins, how certificates are renewed and revoked.

Every organisation is its own certificate authority; there is none above them, and the matchmaker is none of them.
``docs/identity.md`` shows the commands, and says what all this does not protect from.
"""

from __future__ import annotations

from knexa.service.identity.authority import Authority
from knexa.service.identity.credentials import Credentials
from knexa.service.identity.names import CPM, ISSUER, RELAY, Identity, Role
from knexa.service.identity.renewal import Renewal, renew_at_issuer, renew_reachable
from knexa.service.identity.trust import TrustStore

__all__ = [
    "CPM",
    "ISSUER",
    "RELAY",
    "Authority",
    "Credentials",
    "Identity",
    "Renewal",
    "Role",
    "TrustStore",
    "renew_at_issuer",
    "renew_reachable",
]
