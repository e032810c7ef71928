"""``knexa provision renew`` and ``serve``: what goes on for as long as the federation does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from knexa.cli.stopping import stopped_as_by_ctrl_c
from knexa.cli.told import Told
from knexa.errors import ConfigurationError, CredentialsError, PeerError
from knexa.service.identity.authority import ROOT, Authority
from knexa.service.identity.credentials import KEY
from knexa.service.identity.grant import Address
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.listener import Listener
from knexa.service.identity.renewal import Renewal, renew_at_issuer, renew_reachable
from knexa.service.identity.trust import utc_now

#: How often `serve` looks after the folders of its machine, in seconds.
_PASS_S = 30.0
#: Certificates last no longer than that.
_LONGEST_S = 86_400.0


def renew_folder(folder: Path, issuer: str | None, every: float | None, *, as_json: bool) -> None:
    if every is not None and every > _LONGEST_S:
        raise ConfigurationError(f"--every: found {every:g}; allowed: 1 to {_LONGEST_S:g} seconds, as certificates last for a day at most")
    address = Address.parse(issuer, "--issuer") if issuer is not None else None
    if address and (folder / ROOT).is_file():
        raise ConfigurationError(f"--issuer: found together with {folder}, the folder of an authority; allowed: with an agent's folder")
    with _until_stopped():
        while True:
            done = _renewed(folder, address, patient=every is not None)
            Told({"renewals": [{**asdict(one), "folder": str(one.folder)} for one in done]}, [_line(one) for one in done]).tell(as_json)
            if every is None:
                break
            time.sleep(every)
    failed = [one for one in done if one.outcome == "failed"]
    if failed:
        raise CredentialsError(f"{len(failed)} of {len(done)} could not be renewed, {failed[0].name} first: {failed[0].problem}")


def serve_agents(ca: Path, listen: str) -> None:
    authority = Authority.open(ca)
    listener = Listener(Issuing(authority), Address.parse(listen, "--listen"), utc_now, lambda line: typer.echo(line, err=True))
    typer.echo(f"{authority.organisation} renews its agents at {listener.address}; Ctrl-C ends it.")
    passes = _Passes(authority)
    with _until_stopped():
        listener.run(passes.over)


class _Passes:
    """A look at every folder of this machine, now and then; a line for what changed."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._next = 0.0
        self._told: set[Renewal] = set()

    def over(self) -> bool:
        """Never; called by the listener several times a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PASS_S
            done = renew_reachable(self._authority, utc_now())
            for one in done:
                if one.outcome == "renewed" or (one.outcome == "failed" and one not in self._told):
                    typer.echo(_line(one), err=True)
            self._told = set(done)
        return False


def _renewed(folder: Path, issuer: Address | None, *, patient: bool) -> Sequence[Renewal]:
    """``patient``: an issuer that cannot be reached now is asked again later, as long as the certificate is valid."""
    if (folder / ROOT).is_file():
        return renew_reachable(Authority.open(folder), utc_now())
    if not (folder / KEY).is_file():
        raise CredentialsError(f"{folder}: is neither an authority nor an agent's folder; pass one that `knexa provision` has made")
    try:
        return [renew_at_issuer(folder, utc_now(), issuer)]
    except PeerError as error:
        if not patient:
            raise
        return [Renewal(folder.name, folder, "failed", str(error))]


def _line(one: Renewal) -> str:
    words = {
        "renewed": "renewed",
        "not due": "not due yet; whom to trust is up to date",
        "revoked": "its key was revoked, so it gets no certificate",
        "failed": f"failed: {one.problem}",
    }
    return f"{one.name} ({one.folder}): {words[one.outcome]}"


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl-C and the signal that stops a service end the block in peace: stopping is how it is meant to end."""
    try:
        with stopped_as_by_ctrl_c():
            yield
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
