"""``knexa provision show``: what a folder holds, and what to do next."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knexa.cli.told import Told, moment
from knexa.errors import CredentialsError
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.authority import ROOT, Authority
from knexa.service.identity.certificates import due_at
from knexa.service.identity.credentials import CERTIFICATE, KEY, REQUEST, Credentials
from knexa.service.identity.grant import Addresses
from knexa.service.identity.keys import key_fingerprint
from knexa.service.identity.trust import TrustStore, fingerprint, utc_now


def show_folder(folder: Path) -> Told:
    if (folder / ROOT).is_file():
        return _authority(Authority.open(folder))
    if not (folder / KEY).is_file():
        raise CredentialsError(f"{folder}: is neither an authority nor an agent's folder; pass one that `knexa provision` has made")
    return _agent(folder) if (folder / CERTIFICATE).is_file() else _waiting(folder)


def _authority(authority: Authority) -> Told:
    members = authority.living(utc_now())
    facts = {
        "organisation": authority.organisation,
        "fingerprint": authority.fingerprint,
        "expires": authority.root.not_valid_after_utc.isoformat(),
        **_addresses(authority.addresses),
        "members": [
            {
                "name": one.name,
                "serial": one.serial,
                "key": one.key,
                "expires": _time(one.expires).isoformat(),
                "folder": one.folder or None,
            }
            for one in members
        ],
        "trusted": _trusted(authority.trust),
    }
    lines = [
        f"Authority of {authority.organisation}, root until {authority.root.not_valid_after_utc:%Y-%m-%d}, fingerprint",
        f"  {authority.fingerprint}",
        f"Agents are told to call: issuer {authority.addresses.issuer or 'not set'}, matchmaker {authority.addresses.cpm or 'not set'}",
        "Members with a valid certificate:" if members else "No member has a valid certificate; bring one in: knexa provision invite NAME",
    ]
    lines += [f"  {one.name:<31}  until {moment(_time(one.expires))}  serial {one.serial}  {one.folder or 'elsewhere'}" for one in members]
    return Told(facts, [*lines, *_trust_lines(authority.trust)])


def _agent(folder: Path) -> Told:
    credentials, now = Credentials(folder), utc_now()
    certificate = credentials.certificate
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    key = key_fingerprint(certificate.public_key())
    facts = {
        "identity": credentials.identity.uri,
        "valid": valid,
        "expires": credentials.expires().isoformat(),
        "due": due_at(certificate).isoformat(),
        "serial": f"{certificate.serial_number:x}",
        "key": key,
        **_addresses(credentials.addresses),
        "trusted": _trusted(credentials.trust),
    }
    lines = [
        f"{credentials.identity}, host name {credentials.identity.dns}",
        f"Certificate: {'valid' if valid else 'NOT VALID NOW'}, until {moment(credentials.expires())}, "
        f"due for renewal from {moment(due_at(certificate))}, serial {facts['serial']}",
        f"Key: {key}",
        f"Calls: issuer {credentials.addresses.issuer or 'not told'}, matchmaker {credentials.addresses.cpm or 'not told'}",
        *_trust_lines(credentials.trust),
    ]
    if not valid:
        lines.append(f"Ask {credentials.identity.organisation} to approve {folder / REQUEST} again, or for an invitation into this folder.")
    return Told(facts, lines)


def _waiting(folder: Path) -> Told:
    key = AgentFolder(folder).key_fingerprint
    return Told(
        {"identity": None, "key": key, "request": str(folder / REQUEST)},
        [
            f"A key without a certificate, fingerprint {key}.",
            f"Carry {folder / REQUEST} to your authority (knexa provision approve), then: knexa provision accept GRANT --dir {folder}",
            f"Or ask for an invitation: knexa provision join HOST:PORT CODE --dir {folder}",
        ],
    )


def _trusted(trust: TrustStore) -> list[dict[str, Any]]:
    held = [(one, trust.vouched(one)) for one in trust.organisations()]
    return [{"organisation": one, "fingerprint": fingerprint(vouched.root), "revoked": len(vouched.revoked)} for one, vouched in held]


def _trust_lines(trust: TrustStore) -> list[str]:
    lines = [f"  {one['organisation']:<31}  {one['fingerprint']}  {one['revoked']} certificates revoked" for one in _trusted(trust)]
    return ["Trusted organisations, and the fingerprints of their roots:", *lines]


def _addresses(addresses: Addresses) -> dict[str, str | None]:
    return {"issuer": str(addresses.issuer) if addresses.issuer else None, "cpm": str(addresses.cpm) if addresses.cpm else None}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
