"""Names and URIs: one spelling for each identity, and nothing else is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.errors import ConfigurationError, PeerError
from knexa.service.identity import CPM, ISSUER, Identity

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
names = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "-", max_size=30))
almost = st.builds("knexa://{}/{}".format, st.text(LETTERS + "-A./%\n", max_size=33), st.text(LETTERS + "-A./%\n", max_size=33))


@settings(deadline=None)
@given(names, names)
def test_a_uri_says_who_it_is_and_back(organisation: str, name: str) -> None:
    """Printing and parsing are inverse, and the host name cannot be that of another identity."""
    identity = Identity(organisation, name)
    assert Identity.from_uri(identity.uri) == identity == Identity.from_text(f"{organisation}/{name}")
    assert identity.dns.split(".") == [name, organisation, "knexa"]


@settings(deadline=None)
@given(st.text(max_size=60) | st.builds("knexa://{}/{}".format, names, names) | almost)
def test_any_text_is_an_identity_in_its_one_spelling_or_a_peer_error(text: str) -> None:
    """What parses prints as it was written: no second spelling passes, whatever its case, escapes or line ends."""
    try:
        assert Identity.from_uri(text).uri == text
    except PeerError:
        assert not re.fullmatch(r"knexa://[a-z0-9][a-z0-9-]{0,30}/[a-z0-9][a-z0-9-]{0,30}", text)


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "a/b", "ä", "a\n", "a" * 32])
def test_a_name_that_is_none_is_refused_with_what_is_allowed(name: str) -> None:
    """The sentence names what was found and what is allowed."""
    with pytest.raises(ConfigurationError, match=r"found .*allowed: 1 to 31 of a-z"):
        Identity("hospital-a", name)


def test_servers_do_not_call_and_agents_do_both() -> None:
    """A matchmaker's or an issuer's certificate opens no connection as a client."""
    assert Identity("a", CPM).roles == Identity("a", ISSUER).roles == {"server"}
    assert Identity("a", "clinic-1").roles == {"client", "server"}
