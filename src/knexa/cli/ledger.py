"""``knexa ledger``: the verbs and their options. What a verb needs is imported inside it, as in :mod:`knexa.cli.app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ledger = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The egress ledger: every text that left an agent, to whom, under which ticket, and what its guardrail found.",
    epilog="Examples:  \n\n"
    "knexa ledger show agents/clinic-1  \n"
    "knexa ledger show agents/clinic-1 --what quarantined --texts  \n"
    "knexa ledger verify agents/clinic-1 --head 4f1c…  \n"
    "knexa ledger export agents/clinic-1 --out texts.csv  \n\n"
    "DIR is an agent's folder (--dir of knexa agent join), or a run folder with all of its agents'.",
)

Where = Annotated[Path, typer.Argument(metavar="DIR", help="folder of an agent, or of a run")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else, on stdout")]


@ledger.command()
def show(
    where: Where,
    what: Annotated[str | None, typer.Option(metavar="KIND", help="only left, cut, quarantined or blocked")] = None,
    to: Annotated[str | None, typer.Option(metavar="AGENT", help="only what went, or would have gone, to this agent")] = None,
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="only where this rule, or this family of rules, found something")] = None,
    texts: Annotated[bool, typer.Option("--texts", help="also the texts themselves")] = False,
    as_json: Json = False,
) -> None:
    """What left and what did not: counts by student and rule; with a filter or --texts, every entry."""
    from knexa.cli.ledger_verbs import Filter, show_ledger

    show_ledger(where, Filter(what, to, rule), texts=texts, as_json=as_json)


@ledger.command()
def verify(
    where: Where,
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="a head noted earlier: shows that nothing was cut off or written anew since")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every hash of the chain, and every text against its entry; tell the head, to be noted elsewhere."""
    from knexa.cli.ledger_verbs import verify_ledger

    verify_ledger(where, head, as_json=as_json)


@ledger.command()
def export(
    where: Where,
    out: Annotated[Path, typer.Option(metavar="FILE", help="a new .csv or .jsonl file")],
    texts: Annotated[bool, typer.Option("--texts", help="with the texts; without, their hashes alone")] = False,
    as_json: Json = False,
) -> None:
    """Verified entries as a table for other programs."""
    from knexa.cli.ledger_verbs import export_ledger

    export_ledger(where, out, texts=texts, as_json=as_json)


@ledger.command()
def forget(
    where: Where,
    entries: Annotated[str, typer.Option(metavar="N,M,…", help="numbers of entries, or ranges such as 3-9")],
    as_json: Json = False,
) -> None:
    """Delete the texts of entries, for good; the entries themselves stay, and the chain holds. Stop the agent first."""
    from knexa.cli.ledger_verbs import forget_texts

    forget_texts(where, entries, as_json=as_json)
