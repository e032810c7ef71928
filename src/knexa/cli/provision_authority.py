"""``knexa provision`` at the authority: init, approve, invite, revoke, trust."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import typer

from knexa.cli.told import Told, moment
from knexa.errors import ConfigurationError, CredentialsError, Interrupted, PeerError
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.authority import ADDRESSES, ROOT, ROOT_KEY, TRUST, Authority
from knexa.service.identity.certificates import MAX_LIFETIME, require_lifetime
from knexa.service.identity.credentials import REQUEST
from knexa.service.identity.files import read, write
from knexa.service.identity.grant import Address, Addresses
from knexa.service.identity.invitation import ENTROPY, TRIES, Code, Invitation
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.keys import key_fingerprint, read_request, requested_identity
from knexa.service.identity.listener import Listener
from knexa.service.identity.names import ISSUER, Identity
from knexa.service.identity.renewal import renew_reachable
from knexa.service.identity.trust import fingerprint, utc_now
from knexa.service.identity.verification import read_root


def init_authority(ca: Path, organisation: str, issuer: str | None, cpm: str | None) -> Told:
    addresses = Addresses(
        *(Address.parse(text, f"--{name}") if text is not None else None for name, text in (("issuer", issuer), ("cpm", cpm)))
    )
    authority = Authority.create(ca, organisation, utc_now(), addresses)
    facts = {"organisation": organisation, "root": str(ca / ROOT), "fingerprint": authority.fingerprint}
    return Told(
        facts,
        [
            f"{organisation} has a root key: {ca / ROOT_KEY}. It stays on this machine.",
            f"Keep a backup of {ca} where nobody else can read it: without it, the organisation has to begin again.",
            f"Give {ca / ROOT} to the other organisations, and tell them its fingerprint on another channel:",
            f"  {authority.fingerprint}",
            f"Take their roots with: knexa provision trust FILE{_where(ca)}",
            f"Then bring in your first agent: knexa provision invite NAME{_where(ca)}",
            f"What agents are told to call stands in {ca / ADDRESSES}.",
        ],
    )


def approve_request(asked: Path, ca: Path, hours: float, out: Path | None, *, yes: bool) -> Told:
    lifetime = _lifetime(hours)
    if out is not None and asked.is_dir():
        raise ConfigurationError(f"--out: found together with {asked}, a folder, which gets the grant itself; allowed: with a request.csr")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ConfigurationError(f"--out: found {out}; allowed: a file in a folder that is there")
    authority, now = Authority.open(ca), utc_now()
    content = read(asked / REQUEST if asked.is_dir() else asked)
    request = read_request(content)
    identity, key = requested_identity(request), key_fingerprint(request.public_key())
    if identity.organisation != authority.organisation:
        raise ConfigurationError(f"{asked}: asks to be {identity}; {ca} can vouch for members of {authority.organisation} only")
    if not yes:
        _confirm(identity, key)
    folder = asked if asked.is_dir() else None
    certificate = authority.issue(content, identity.name, now, lifetime, folder)
    grant = authority.grant(certificate)
    facts = {
        "identity": identity.uri,
        "key": key,
        "serial": f"{certificate.serial_number:x}",
        "expires": certificate.not_valid_after_utc.isoformat(),
    }
    lines = [f"{identity} has a certificate until {moment(certificate.not_valid_after_utc)}, for the key with the fingerprint {key}."]
    if folder:
        AgentFolder(folder).install(grant, now, authority.root)
        lines.append(f"It is in {folder}. To renew it, keep this running: knexa provision serve{_where(ca)}")
        return Told({**facts, "folder": str(folder)}, lines)
    path = out or asked.with_name(f"{identity.name}.grant.json")
    write(path, json.dumps(grant.to_json(), indent=1).encode())
    lines.append(f"Carry {path} to the agent's machine; there: knexa provision accept {path.name} --dir DIR")
    return Told({**facts, "grant": str(path)}, lines)


def _lifetime(hours: float) -> timedelta:
    """Raises ConfigurationError for more than a time can be; whether a certificate may last so long is said where it is issued."""
    try:
        return timedelta(hours=hours)
    except OverflowError as error:
        raise ConfigurationError(f"--hours: found {hours:g}; allowed: at most {MAX_LIFETIME / timedelta(hours=1):g}") from error


def _confirm(identity: Identity, key: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(f"--yes: not given, and there is no terminal to ask at; {identity} asks with the key fingerprint {key}")
    typer.echo(f"{identity} asks, with a key whose fingerprint is\n  {key}\nThe agent's machine has printed the same?", err=True)
    if not typer.confirm("Approve", err=True):
        raise Interrupted("nothing was approved")


@dataclass(frozen=True, slots=True)
class Terms:
    """The options of ``knexa provision invite``."""

    listen: str
    minutes: float
    hours: float


def invite_newcomer(name: str, ca: Path, terms: Terms, *, as_json: bool) -> None:
    """Returns when the newcomer has joined; raises PeerError when the invitation ends otherwise."""
    authority = Authority.open(ca)
    identity, address = authority.member(name), Address.parse(terms.listen, "--listen")
    code = Code.make(authority.root, os.urandom(ENTROPY))
    expires = utc_now() + timedelta(minutes=terms.minutes)
    invitation = Invitation(name, code.secret, expires, require_lifetime(_lifetime(terms.hours)))
    listener = Listener(Issuing(authority, invitation), address, utc_now, lambda line: typer.echo(line, err=True))
    call = Address(socket.gethostname() if address.host in ("0.0.0.0", "::") else address.host, listener.address.port)
    facts = {"identity": identity.uri, "address": str(call), "code": str(code), "expires": expires.isoformat()}
    lines = [
        f"For {identity}, once, until {moment(expires)}. On its machine:",
        f"  knexa provision join {call} {code} --dir {name}",
        "Send the line on a channel that you trust: whoever uses it first is that agent. Waiting; Ctrl-C makes the code void.",
    ]
    try:
        Told(facts, lines).tell(as_json)
        listener.run(lambda: invitation.over(utc_now()))
    except KeyboardInterrupt:
        raise Interrupted("stopped; the code is void") from None
    if not invitation.used:
        why = f"was tried {TRIES} times without success" if invitation.tries >= TRIES else f"ended at {moment(expires)}, unused"
        raise PeerError(f"the invitation of {name} {why}; invite again when the newcomer is ready")
    lines = [f"{identity} has joined. So that it can renew, keep this running: knexa provision serve{_where(ca)}"]
    Told({"joined": identity.uri}, lines).tell(as_json)


def revoke_member(who: str, ca: Path) -> Told:
    authority = Authority.open(ca)
    concerned = authority.revoke(who, utc_now())
    told = _reached(authority)
    listed = ca / TRUST / f"{authority.organisation}.crl"
    names, serials = sorted({entry.name for entry in concerned}), [entry.serial for entry in concerned]
    lines = [
        f"{', '.join(names)}: revoked for good; certificates taken back: {len(serials)}." if serials else f"{who} was revoked before.",
        _who_knows(told),
        f"In a running federation its agents pass the list on. Where none of them runs, send {listed} to the other organisations; there: "
        f"knexa provision trust {listed.name}",
        "The name may be given to a new key: have that agent make one in a new folder.",
    ]
    return Told({"revoked": serials, "list": str(listed), "told": told}, lines)


def change_trust(file: Path | None, ca: Path, expected: str | None, dismiss: str | None) -> Told:
    if (file is None) == (dismiss is None):
        raise ConfigurationError("trust: found FILE and --dismiss together, or neither; allowed: one of them")
    if dismiss is not None and expected is not None:
        raise ConfigurationError("--fingerprint: found together with --dismiss; allowed: with the root of another organisation")
    authority = Authority.open(ca)
    if dismiss is not None:
        if dismiss == authority.organisation:
            raise ConfigurationError(f"--dismiss: found {dismiss!r}; allowed: another organisation than your own")
        authority.trust.dismiss(dismiss)
        facts: dict[str, object] = {"dismissed": dismiss}
        lines = [f"{dismiss} is trusted no longer."]
    else:
        assert file is not None
        facts, lines = _taken(authority, file, expected)
    told = _reached(authority)
    return Told({**facts, "told": told}, [*lines, _who_knows(told)])


def _taken(authority: Authority, file: Path, expected: str | None) -> tuple[dict[str, object], list[str]]:
    content, now = read(file), utc_now()
    if b"X509 CRL" in content:
        if expected is not None:
            raise ConfigurationError(
                f"--fingerprint: found together with {file}, a list of what was taken back; allowed: with the root of another organisation"
            )
        news = authority.trust.admit_list(content)
        return {"list": str(file), "news": news}, [f"{file}: {'taken over' if news else 'not newer than what is known; nothing changed'}."]
    organisation, root = read_root(content)
    found = fingerprint(root)
    if expected is not None and expected.lower().replace(":", "") != found:
        raise PeerError(f"{file}: the root of {organisation} has the fingerprint {found}, not the one given; it was not admitted")
    authority.trust.admit(content, organisation, now)
    lines = [f"{organisation} is trusted, for members of {organisation} alone. The fingerprint of its root:", f"  {found}"]
    if expected is None:
        lines.append(f"Compare it with what they say on another channel; if it differs: knexa provision trust --dismiss {organisation}")
    return {"organisation": organisation, "fingerprint": found}, lines


def _reached(authority: Authority) -> list[str]:
    """Bring the folders of this machine up to date; the names of their agents. CredentialsError if one could not be."""
    done = renew_reachable(authority, utc_now())
    failed = [one for one in done if one.outcome == "failed"]
    if failed:
        raise CredentialsError(f"done at the authority, but not told to {failed[0].name}: {failed[0].problem}")
    return [one.name for one in done if one.name != ISSUER]


def _who_knows(told: list[str]) -> str:
    here = f"Known at once to {', '.join(told)}, on this machine. " if told else ""
    return f"{here}Your agents elsewhere learn it when they next ask to be renewed."


def _where(ca: Path) -> str:
    """The option that a suggested command needs to find the authority again."""
    return "" if ca == Path("ca") else f" --ca {ca}"
