"""Lists of revoked certificates on their way: from an organisation to the coordinator, and from there to all agents.

Whoever carries a list needs no trust, since it counts by its organisation's signature and an older one never replaces a newer one. So a
key that was taken back is refused everywhere a few seconds after its organisation said so, and on open connections when they are
made anew, within a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from knexa.errors import PeerError
from knexa.service.identity import TrustStore
from knexa.service.wire import federation_pb2 as pb

#: How often an agent asks, in seconds.
EVERY_S = 4.0
#: Bytes of one list (some ten thousand certificates), and of all lists in one message.
LARGEST, MOST_BYTES = 512 * 1024, 3 * 2**20


def exchanged(brought: pb.Lists, trust: TrustStore) -> pb.Lists:
    """Take over what is news of ``brought``, and answer with what its bearer lacks: small lists first, as many as one message holds.

    Raises PeerError for a list that nobody trusted has signed.
    """
    ours = trust.lists()
    admit([pem for pem in brought.lists if digest(pem) not in ours], trust)
    known, room, lists = set(brought.digests), MOST_BYTES, []
    for name, pem in sorted(trust.lists().items(), key=lambda one: len(one[1])):
        if name not in known and len(pem) <= room:
            lists.append(pem)
            room -= len(pem)
    return pb.Lists(lists=lists)


def question(trust: TrustStore, own: str) -> pb.Lists:
    """What an agent of organisation ``own`` brings: its own organisation's list, and which others it holds."""
    mine = trust.list_pem(own)
    return pb.Lists(lists=[mine] if mine is not None else [], digests=[*trust.lists()])


def admit(lists: Iterable[bytes], trust: TrustStore) -> int:
    """How many of ``lists`` were news. All that are good are taken over; then PeerError for the first that is not."""
    news, faults = 0, []
    for pem in lists:
        try:
            if len(pem) > LARGEST:
                raise PeerError(f"a list of revoked certificates has {len(pem)} bytes; at most {LARGEST} are taken")
            news += trust.admit_list(pem)
        except PeerError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return news


def digest(pem: bytes) -> bytes:
    return hashlib.sha256(pem).digest()
