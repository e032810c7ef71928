"""``knexa provision``: the verbs and their options. What a verb needs is imported inside it, as in :mod:`knexa.cli.app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from knexa.cli.numbers import finite

provision = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Identities: every organisation vouches for its own agents, with a root key that never leaves its machine.",
    epilog="A first agent, on the machine of the authority (ca) and on its own (clinic-1):  \n\n"
    "ca$ knexa provision init hospital-a  \n"
    "ca$ knexa provision trust hospital-b-root.pem  [dim]# hospital-b does the same[/dim]  \n"
    "ca$ knexa provision invite clinic-1            [dim]# prints a code, and waits[/dim]  \n"
    "clinic-1$ knexa provision join ca.example:7431 CODE --dir clinic-1  \n"
    "ca$ knexa provision serve                      [dim]# renews for as long as it runs[/dim]  \n"
    "clinic-1$ knexa provision renew clinic-1 --every 60",
)

Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else, on stdout")]
CA = Annotated[Path, typer.Option("--ca", metavar="DIR", help="folder of your organisation's authority")]
Dir = Annotated[Path, typer.Option("--dir", metavar="DIR", help="folder of the agent (or matchmaker): its key stays in it")]
Hours = Annotated[
    float, typer.Option("--hours", metavar="H", callback=finite, help="lifetime of certificates, at most 24; renewals keep it")
]

CA_FOLDER = Path("ca")


@provision.command(epilog="Examples:  \n\nknexa provision init hospital-a --issuer ca.hospital-a.example:7432 --cpm cpm.example:7430")
def init(
    organisation: Annotated[str, typer.Argument(metavar="ORGANISATION", help="a-z, 0-9 and -, such as hospital-a")],
    ca: CA = CA_FOLDER,
    issuer: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="where your agents will find `knexa provision serve`")] = None,
    cpm: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="the federation's matchmaker, passed on to your agents")] = None,
    as_json: Json = False,
) -> None:
    """Make an organisation: its root key, and the root certificate that the others get. Once, on a machine of your own."""
    from knexa.cli.provision_authority import init_authority

    init_authority(ca, organisation, issuer, cpm).tell(as_json)


@provision.command(
    epilog="Example:  \n\nknexa provision request hospital-a/clinic-1 --dir clinic-1  \nknexa provision request hospital-a/cpm --dir cpm"
)
def request(
    identity: Annotated[str, typer.Argument(metavar="ORGANISATION/NAME", help="who this agent is to be; the name cpm is the matchmaker's")],
    folder: Dir,
    as_json: Json = False,
) -> None:
    """On the agent's machine: make a key, and a request for a certificate to carry to your organisation's authority."""
    from knexa.cli.provision_agent import make_request

    make_request(identity, folder).tell(as_json)


@provision.command(
    epilog="Examples:  \n\n"
    "knexa provision approve request.csr            [dim]# carried here by hand; the grant goes back the same way[/dim]  \n"
    "knexa provision approve clinic-1               [dim]# the agent's folder, if it is on this machine[/dim]"
)
def approve(
    asked: Annotated[Path, typer.Argument(metavar="REQUEST", help="a request.csr, or the agent's folder where this machine can reach it")],
    ca: CA = CA_FOLDER,
    hours: Hours = 24.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the grant for a request.csr (default: NAME.grant.json beside it)")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; you have compared the key fingerprint")] = False,
    as_json: Json = False,
) -> None:
    """At the authority: look who asks with which key, and issue the certificate."""
    from knexa.cli.provision_authority import approve_request

    approve_request(asked, ca, hours, out, yes=yes).tell(as_json)


@provision.command(epilog="Example:  \n\nknexa provision accept clinic-1.grant.json --dir clinic-1")
def accept(
    grant: Annotated[Path, typer.Argument(metavar="GRANT", help="the file that `knexa provision approve` wrote")],
    folder: Dir,
    as_json: Json = False,
) -> None:
    """On the agent's machine: take over the grant: the certificate, whom to trust, whom to call."""
    from knexa.cli.provision_agent import accept_grant

    accept_grant(grant, folder).tell(as_json)


@provision.command(
    epilog="Examples:  \n\n"
    "knexa provision invite clinic-1  \n"
    "knexa provision invite clinic-1 --listen ca.hospital-a.example:7431 --minutes 5"
)
def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="who joins; the name cpm is the matchmaker's")],
    ca: CA = CA_FOLDER,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="where the newcomer calls")] = "0.0.0.0:7431",
    minutes: Annotated[float, typer.Option(metavar="M", min=0.01, max=10, help="how long the code works")] = 10.0,
    hours: Hours = 24.0,
    as_json: Json = False,
) -> None:
    """At the authority: print a one-time code, and wait until the newcomer has joined by it. 5 tries, 10 minutes, one use."""
    from knexa.cli.provision_authority import Terms, invite_newcomer

    invite_newcomer(name, ca, Terms(listen, minutes, hours), as_json=as_json)


@provision.command(epilog="Example:  \n\nknexa provision join ca.hospital-a.example:7431 7QK2M9-…-4TRA0X --dir clinic-1")
def join(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="where `knexa provision invite` listens")],
    code: Annotated[str, typer.Argument(metavar="CODE", help="the code that it printed; case and hyphens do not matter")],
    folder: Dir,
    as_json: Json = False,
) -> None:
    """On the agent's machine: make a key, and get its certificate with a one-time code."""
    from knexa.cli.provision_agent import join_organisation

    join_organisation(address, code, folder).tell(as_json)


@provision.command(
    epilog="Examples:  \n\n"
    "knexa provision renew                          [dim]# at the authority: the agents whose folders this machine can reach[/dim]  \n"
    "knexa provision renew clinic-1                 [dim]# on the agent's machine: ask the authority that serves[/dim]  \n"
    "knexa provision renew clinic-1 --every 60      [dim]# for as long as the agent runs[/dim]"
)
def renew(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the authority, or of an agent")] = CA_FOLDER,
    issuer: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="agents: where the authority serves, if not as granted")] = None,
    every: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, callback=finite, help="again and again, until stopped; at most a day, 86400")
    ] = None,
    as_json: Json = False,
) -> None:
    """Renew certificates of which half of the lifetime is over, and bring whom to trust up to date. Nothing is restarted."""
    from knexa.cli.provision_renew import renew_folder

    renew_folder(folder, issuer, every, as_json=as_json)


@provision.command(epilog="Example:  \n\nknexa provision serve --listen ca.hospital-a.example:7432")
def serve(
    ca: CA = CA_FOLDER,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="where your agents renew")] = "0.0.0.0:7432",
) -> None:
    """At the authority: renew your agents, those elsewhere over mutual TLS and those on this machine, until stopped."""
    from knexa.cli.provision_renew import serve_agents

    serve_agents(ca, listen)


@provision.command(
    epilog="Examples:  \n\nknexa provision revoke clinic-1  \nknexa provision revoke 5f3a…  [dim]# a serial that `show` lists[/dim]"
)
def revoke(
    who: Annotated[str, typer.Argument(metavar="NAME|SERIAL", help="whose key is not to be trusted any more")],
    ca: CA = CA_FOLDER,
    as_json: Json = False,
) -> None:
    """At the authority: take an agent's key back, for good. The list of what was taken back goes to your agents by itself."""
    from knexa.cli.provision_authority import revoke_member

    revoke_member(who, ca).tell(as_json)


@provision.command(
    epilog="Examples:  \n\n"
    "knexa provision trust hospital-b-root.pem --fingerprint 3b1f…  \n"
    "knexa provision trust hospital-b.crl  \n"
    "knexa provision trust --dismiss hospital-b"
)
def trust(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="another organisation's root.pem, or its newest .crl")] = None,
    ca: CA = CA_FOLDER,
    fingerprint: Annotated[str | None, typer.Option(metavar="HEX", help="what they say their root's is; refused if it differs")] = None,
    dismiss: Annotated[str | None, typer.Option(metavar="ORGANISATION", help="trust it no longer")] = None,
    as_json: Json = False,
) -> None:
    """At the authority: whom your agents trust besides your own organisation. Changes nothing for anybody else."""
    from knexa.cli.provision_authority import change_trust

    change_trust(file, ca, fingerprint, dismiss).tell(as_json)


@provision.command(epilog="Examples:  \n\nknexa provision show  \nknexa provision show clinic-1 --json")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the authority, or of an agent")] = CA_FOLDER,
    as_json: Json = False,
) -> None:
    """Who is in a folder, until when, whom it trusts, and what to do next."""
    from knexa.cli.provision_show import show_folder

    show_folder(folder).tell(as_json)
