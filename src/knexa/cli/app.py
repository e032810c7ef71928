"""The verbs and their options. What a verb needs is imported inside it, so that ``knexa --help`` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import knexa
from knexa.presets import DEFAULT_PRESET, preset_names
from knexa.strategies import STRATEGIES

_STRATEGIES = "  \n".join(f"• [bold]{name}[/bold]: {strategy.summary}" for name, strategy in STRATEGIES.items())
#: Name and summary; here, because importing the worlds would take longer than ``--help`` may.
_WORLDS = "additive, compatibility, transfer; liars-20, liars-40, poor-30 (compatibility with liars, or poor teachers); release-a, -b, -c"
_PRESETS = ", ".join(preset_names())

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Federated fine-tuning of LLMs without an aggregator: agents teach each other in pairs, a bandit decides who teaches whom.",
    epilog="Start with [bold]knexa run[/bold]: six small agents, no download, a table and a report at the end.",
)

Preset = Annotated[str | None, typer.Option(metavar="NAME", help=f"shipped settings to start from: {_PRESETS} (default {DEFAULT_PRESET})")]
Rounds = Annotated[int | None, typer.Option(metavar="N", help="number of rounds")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="any setting, such as local.steps=8; repeat for more")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else, on stdout")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"knexa {knexa.__version__}")
        raise typer.Exit


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")] = False) -> None:
    """Options of ``knexa`` itself; the program's help stands where the app is made."""


@app.command(
    epilog="Examples:  \n\n"
    "knexa run  \n"
    "knexa run federation.toml --rounds 4 --seed 1  \n"
    "knexa run --preset crowd --strategy random --set distillation.prompts=16  \n"
    "knexa run --resume runs/knexa-seed42-1  \n\n"
    f"Strategies:  \n\n{_STRATEGIES}"
)
def run(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="a federation.toml; without one, the preset alone")] = None,
    preset: Preset = None,
    strategy: Annotated[str | None, typer.Option(metavar="NAME", help="what is run; the names are listed below")] = None,
    rounds: Rounds = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="the one source of randomness")] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="run folder (default: runs/STRATEGY-seedSEED-N)")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="go on with a run that was stopped")] = None,
    as_json: Json = False,
) -> None:
    """Run one federation, simulated; write a run folder with events, summary, report and adapters."""
    from knexa.cli.run import Wanted, run_federation

    run_federation(Wanted(file, preset, strategy, rounds, seed, tuple(sets or ()), out, resume), as_json=as_json)


@app.command(
    epilog="Examples:  \n\n"
    "knexa compare --strategies local,random,knexa --seeds 0-4  \n"
    "knexa compare --preset crowd --strategies random,knexa --seeds 0,1,2 --out runs/crowd  \n\n"
    f"Strategies:  \n\n{_STRATEGIES}"
)
def compare(
    strategies: Annotated[str, typer.Option(metavar="A,B,…", help="names, separated by commas; listed below")] = "local,random,knexa",
    seeds: Annotated[str, typer.Option(metavar="RANGE", help="such as 0-4, or 0,1,7")] = "0-2",
    preset: Preset = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="a federation.toml")] = None,
    rounds: Rounds = None,
    sets: Sets = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the comparison; call again to resume it or to add seeds")] = Path(
        "runs/comparison"
    ),
    baseline: Annotated[str, typer.Option(metavar="NAME", help="strategy that differences are taken against")] = "random",
    as_json: Json = False,
) -> None:
    """Run strategies × seeds from equal starting bytes; a table with intervals and paired differences."""
    from knexa.cli.compare import Plan, run_comparison

    run_comparison(Plan(strategies, seeds, file, preset, rounds, tuple(sets or ()), out, baseline), as_json=as_json)


@app.command(epilog="Examples:  \n\nknexa report runs/knexa-seed42-1  \nknexa report runs/comparison/*/seed-*")
def report(folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="run folders; several are compared on one page")]) -> None:
    """Write report.html from run folders: self-contained, opens offline."""
    from knexa.report import write_report

    typer.echo(write_report(folders))


@app.command(
    epilog="Examples:  \n\n"
    "knexa replay runs/comparison/random/seed-* --matchmaker knexa  \n"
    "knexa replay runs/random-seed0-1 --matchmaker knexa --set matching.context=concat  \n\n"
    "The log must come from a matchmaker that draws: strategy random, or matching.bandit=thompson."
)
def replay(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="run folders of one federation, such as several seeds")],
    matchmaker: Annotated[str, typer.Option(metavar="NAME", help="who chooses instead: a built-in matchmaker or module:object")] = "knexa",
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="its settings, such as matching.context=concat")
    ] = None,
    as_json: Json = False,
) -> None:
    """What another matchmaker would have chosen on logged runs, and what its choices would have earned, with intervals."""
    from knexa.cli.replay import show_replay

    show_replay(folders, matchmaker, tuple(sets or ()), as_json=as_json)


@app.command(
    epilog="Examples:  \n\n"
    "knexa study  \n"
    "knexa study --worlds compatibility,liars-20,liars-40 --agents 32  \n"
    "knexa study --worlds release-a --heterogeneity high,low --agents 8,16,32,64 --rounds 50  \n\n"
    f"Worlds:  \n\n{_WORLDS}"
)
def study(
    worlds: Annotated[str, typer.Option(metavar="A,B,…", help="synthetic federations; listed below")] = "additive,compatibility,transfer",
    agents: Annotated[str, typer.Option(metavar="N,M,…", help="sizes, each at least 2")] = "32",
    heterogeneity: Annotated[str, typer.Option(metavar="high,low", help="how different agents are")] = "high",
    methods: Annotated[
        str, typer.Option(metavar="A,B,…", help="paper, concat, gap, joint, gap-thompson, …; random and oracle are always there")
    ] = "hetero-greedy,paper,concat,gap,joint,joint-kernel",
    seeds: Annotated[str, typer.Option(metavar="RANGE", help="such as 0-9, or 0,1,7")] = "0-9",
    rounds: Annotated[int, typer.Option(metavar="N", min=2, help="rounds of each trajectory")] = 100,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="processes")] = 2,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the results; written over")] = Path("runs/study"),
    figures: Annotated[
        str, typer.Option(metavar="A,B,…", help="gain, scale, difference, speed, convergence, regret; all unless named")
    ] = "",
    rows: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="draw the rows.csv of earlier studies, and run nothing")] = None,
    as_json: Json = False,
) -> None:
    """The matchmakers alone, in synthetic federations: gains over random, regret, divergence, speed; rows, figures, a page."""
    from knexa.cli.study import Grid, show_study

    earlier = tuple(rows or ())
    show_study(Grid(worlds, heterogeneity, agents, methods, seeds, rounds, workers, out, figures, earlier), as_json=as_json)


@app.command(epilog="Example:  \n\nknexa new clinics && knexa run clinics/federation.toml")
def new(name: Annotated[Path, typer.Argument(metavar="NAME", help="folder to make")]) -> None:
    """Write a commented federation.toml and a matchmaker.py to edit; never overwrites."""
    from knexa.cli.new import write_project

    for path in write_project(name):
        typer.echo(path)
    typer.echo(f"Edit them, then: cd {name} && knexa run federation.toml")
