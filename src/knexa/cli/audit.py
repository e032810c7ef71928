"""``knexa audit``: the verbs and their options. What a verb needs is imported inside it, as in :mod:`knexa.cli.app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

audit = typer.Typer(no_args_is_help=True, help="What others could learn: what a coordinator has received, what texts gave away.")

Journal = Annotated[
    str | None, typer.Option("--journal", metavar="URL", help="database of the journal (postgresql+psycopg://…); default: a file in DIR")
]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else, on stdout")]


@audit.command("cpm", epilog="Example:  \n\nknexa audit cpm runs/up-1")
def cpm(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="of knexa cpm serve --out, or of knexa up")],
    everything: Annotated[bool, typer.Option("--all", help="also list every message with its values")] = False,
    journal: Journal = None,
    as_json: Json = False,
) -> None:
    """Everything that a coordinator has ever received, and the proof that it was numbers of the closed schema."""
    from knexa.cli.audit_cpm import show_audit

    show_audit(folder, journal, as_json=as_json, everything=everything)


@audit.command(
    "leak",
    epilog="Example, with a hundred secrets planted in six agents' data:  \n\n"
    "knexa run --set data.canaries=17 --out runs/leak && knexa audit leak runs/leak",
)
def leak(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a finished run folder")],
    as_json: Json = False,
) -> None:
    """How much of private data can be told from what left a simulated run: canaries, overlap, membership; one and two hops away."""
    from knexa.cli.audit_leak import show_leak

    show_leak(folder, as_json=as_json)
