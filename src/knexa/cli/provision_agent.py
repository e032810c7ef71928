"""``knexa provision`` on the agent's machine: request, accept, join."""

from __future__ import annotations

from pathlib import Path

from knexa.cli.told import Told, moment
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.credentials import KEY, REQUEST, Credentials
from knexa.service.identity.grant import Address, Grant
from knexa.service.identity.invitation import Code
from knexa.service.identity.joining import join
from knexa.service.identity.names import Identity
from knexa.service.identity.trust import fingerprint, utc_now


def make_request(text: str, folder: Path) -> Told:
    identity = Identity.from_text(text)
    key = AgentFolder.create(folder, identity).key_fingerprint
    return Told(
        {"identity": identity.uri, "request": str(folder / REQUEST), "key": key},
        [
            f"{folder / KEY} is the private key of {identity}; it stays on this machine.",
            f"Carry {folder / REQUEST} to the authority of {identity.organisation}; there: knexa provision approve {REQUEST}",
            "They see the same key fingerprint there:",
            f"  {key}",
            f"Then, with what they give back: knexa provision accept {identity.name}.grant.json --dir {folder}",
        ],
    )


def accept_grant(file: Path, folder: Path) -> Told:
    AgentFolder(folder).install(Grant.read(file), utc_now())
    return _installed(folder)


def join_organisation(address: str, code: str, folder: Path) -> Told:
    join(Address.parse(address, "HOST:PORT"), Code.parse(code), folder, utc_now())
    return _installed(folder)


def _installed(folder: Path) -> Told:
    credentials = Credentials(folder)
    organisation = credentials.identity.organisation
    root = fingerprint(credentials.trust.vouched(organisation).root)
    addresses, organisations = credentials.addresses, credentials.trust.organisations()
    facts = {
        "identity": credentials.identity.uri,
        "folder": str(folder),
        "expires": credentials.expires().isoformat(),
        "fingerprint": root,
        "trusted": list(organisations),
        "issuer": str(addresses.issuer) if addresses.issuer else None,
        "cpm": str(addresses.cpm) if addresses.cpm else None,
    }
    where = "" if addresses.issuer else " --issuer HOST:PORT"
    return Told(
        facts,
        [
            f"This is {credentials.identity} now, until {moment(credentials.expires())}; key and certificate are in {folder}.",
            f"The root of {organisation}, by which it is vouched for, has the fingerprint",
            f"  {root}",
            f"Trusted: {', '.join(organisations)}. Matchmaker: {addresses.cpm or 'not told'}.",
            f"Keep it renewed: knexa provision renew {folder}{where} --every 60",
        ],
    )
