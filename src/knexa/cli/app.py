"""The verbs and their options. What a verb needs is imported inside it, so that ``knexa --help`` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import knexa
from knexa.cli.audit import Journal, audit
from knexa.cli.ledger import ledger
from knexa.cli.numbers import finite
from knexa.cli.provision import provision
from knexa.presets import DEFAULT_PRESET, preset_names
from knexa.strategies import STRATEGIES

_STRATEGIES = "  \n".join(f"• [bold]{name}[/bold]: {strategy.summary}" for name, strategy in STRATEGIES.items())
#: Name and summary; here, because importing the worlds would take longer than ``--help`` may.
_WORLDS = (
    "additive, compatibility, transfer, transfer-exact; liars-20, liars-40, poor-30 (compatibility with liars, or poor teachers); "
    "release-a, -b, -c"
)
_PRESETS = ", ".join(preset_names())

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Federated fine-tuning of LLMs without an aggregator: agents teach each other in pairs, a bandit decides who teaches whom.",
    epilog="Start with [bold]knexa run[/bold]: six small agents, no download, a table and a report at the end.",
)

cpm = typer.Typer(no_args_is_help=True, help="The coordinator (Central Profiler/Matchmaker) of a real federation.")
agent = typer.Typer(no_args_is_help=True, help="An agent of a real federation.")
relay = typer.Typer(no_args_is_help=True, help="Carries sealed exchanges between agents that cannot call each other.")


@cpm.callback()
def _coordinator() -> None:
    """So that a single verb keeps its name."""


@agent.callback()
def _agent() -> None:
    """So that a single verb keeps its name."""


app.add_typer(provision, name="provision")
app.add_typer(cpm, name="cpm")
app.add_typer(agent, name="agent")
app.add_typer(relay, name="relay")
app.add_typer(audit, name="audit")
app.add_typer(ledger, name="ledger")

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


@app.command(epilog="Examples:  \n\nknexa up --rounds 5  \nknexa up federation.toml --agents 4 --out runs/trial")
def up(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="a federation.toml; without one, the preset alone")] = None,
    preset: Preset = None,
    strategy: Annotated[str | None, typer.Option(metavar="NAME", help="what is run; see knexa run --help")] = None,
    rounds: Rounds = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="seed of all that is drawn")] = None,
    agents: Annotated[int | None, typer.Option(metavar="N", help="only the first N agents of the configuration")] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="run folder, new or empty (default runs/up-N)")] = None,
    hidden: Annotated[
        int, typer.Option(metavar="N", min=0, help="so many agents only dial out; a relay carries what they say to each other")
    ] = 0,
    workplace: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """A real federation on this machine: one process for the coordinator and each agent, real certificates, real TLS between them."""
    from knexa.cli.federation import Wanted, bring_up

    bring_up(Wanted(file, preset, strategy, rounds, seed, agents, tuple(sets or ()), out, hidden, workplace), as_json=as_json)


@app.command(epilog="Example:  \n\nknexa doctor federation.toml --identity clinic-1 --cpm cpm.example:7430 --operator hospital-a")
def doctor(
    file: Annotated[str, typer.Argument(metavar="FILE", help="the federation.toml that all participants hold")],
    identity: Annotated[Path, typer.Option(metavar="DIR", help="folder of this participant's key and certificate")],
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="where it is to be called; without it, nowhere")] = None,
    reached_at: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="under which address, if it is another")] = None,
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="where it is to keep its state")] = Path("agent"),
    cpm: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="the coordinator; without it, it is not called")] = None,
    operator: Annotated[str | None, typer.Option(metavar="ORGANISATION", help="who runs the coordinator")] = None,
    relay: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="the relay; without it, it is not called")] = None,
    relay_operator: Annotated[str | None, typer.Option(metavar="ORGANISATION", help="who runs the relay")] = None,
    workplace: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Find what would keep this machine from taking part: certificate, trust, port, disk, sandbox, model, coordinator, both ways."""
    from knexa.cli.federation import Examination, show_doctor

    show_doctor(Examination(file, identity, listen, reached_at, folder, cpm, operator, relay, relay_operator, workplace), as_json=as_json)


@cpm.command(epilog="Example:  \n\nknexa cpm serve federation.toml --identity cpm --listen 0.0.0.0:7430 --out runs/trial")
def serve(
    file: Annotated[str, typer.Argument(metavar="FILE", help="the federation.toml that all participants hold")],
    identity: Annotated[Path, typer.Option(metavar="DIR", help="folder of the coordinator's key and certificate (knexa provision)")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="journal and record of the federation; the same folder resumes it")],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="where agents call")] = "0.0.0.0:7430",
    start_after: Annotated[
        float | None, typer.Option(metavar="S", callback=finite, help="begin after so many seconds with whoever is there; default: wait")
    ] = None,
    metrics: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="/metrics (Prometheus) and /healthz, in plain HTTP")] = None,
    journal: Journal = None,
) -> None:
    """Coordinate a federation until it is over. It sees numbers only, and goes on where it was after any crash."""
    from knexa.cli.federation import serve_cpm

    serve_cpm(file, identity, listen, out, start_after, metrics, journal)


@relay.command("serve", epilog="Example:  \n\nknexa relay serve --identity relay --listen 0.0.0.0:7450")
def serve_relay(
    identity: Annotated[Path, typer.Option(metavar="DIR", help="folder of the relay's key and certificate (knexa provision)")],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="where agents call")] = "0.0.0.0:7450",
) -> None:
    """Carry sealed exchanges between agents that cannot call each other. It sees who, when and how much; never what."""
    from knexa.cli.federation import serve_relay_process

    serve_relay_process(identity, listen)


@agent.command(
    epilog="Example:  \n\n"
    "knexa agent join federation.toml --identity clinic-1 --cpm cpm.example:7430 --operator hospital-a --listen 0.0.0.0:7440 "
    "--reached-at clinic-1.example:7440"
)
def join(
    file: Annotated[str, typer.Argument(metavar="FILE", help="the federation.toml that all participants hold")],
    identity: Annotated[Path, typer.Option(metavar="DIR", help="folder of the agent's key and certificate (knexa provision)")],
    cpm: Annotated[str, typer.Option(metavar="HOST:PORT", help="the coordinator")],
    operator: Annotated[str, typer.Option(metavar="ORGANISATION", help="who runs the coordinator")],
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="what the agent keeps; the same folder resumes it")] = Path("agent"),
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="where its peers call it; without it the agent only dials out")
    ] = None,
    reached_at: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="under which address they reach it, if it is another")] = None,
    relay: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="where peers call it that cannot be called either")] = None,
    relay_operator: Annotated[str | None, typer.Option(metavar="ORGANISATION", help="who runs the relay")] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="what this agent does not do, whatever the coordinator says (policy.toml)")
    ] = None,
    workplace: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Train, teach and learn beside one's own data, until the federation is over."""
    from knexa.cli.federation import Joining, join_federation

    join_federation(Joining(file, identity, cpm, operator, folder, listen, reached_at, relay, relay_operator, policy, workplace))


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
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="most cells at once, each with its own workers; fewer if memory is short")
    ] = 1,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="share results of equal jobs between cells (in DIR/cache)")] = True,
    as_json: Json = False,
) -> None:
    """Run strategies × seeds from equal starting bytes; a table with intervals and paired differences."""
    from knexa.cli.compare import Plan, run_comparison

    run_comparison(Plan(strategies, seeds, file, preset, rounds, tuple(sets or ()), out, baseline, jobs, cache), as_json=as_json)


@app.command("list", epilog="Examples:  \n\nknexa list  \nknexa list runs/comparison --json")
def list_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder below which runs are looked for")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """The runs in a folder: finished, running or stopped, how far, and what they gave."""
    from knexa.cli.listing import list_runs

    list_runs(folder, as_json=as_json)


@app.command(epilog="Examples:  \n\nknexa report runs/knexa-seed42-1  \nknexa report runs/comparison/*/seed-*")
def report(folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="run folders; several are compared on one page")]) -> None:
    """Write report.html from run folders: self-contained, opens offline."""
    from knexa.report import write_report

    typer.echo(write_report(folders))


@app.command(
    epilog="Examples:  \n\n"
    "knexa export runs/knexa-seed42-1 --tensorboard runs/curves  \n"
    "knexa export runs/comparison/*/seed-* --mlflow http://127.0.0.1:5000"
)
def export(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="run folders, finished or not")],
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="for tensorboard --logdir DIR; a folder in it for each run")
    ] = None,
    mlflow: Annotated[str | None, typer.Option(metavar="URI", help="tracking server, as mlflow names it; experiment knexa")] = None,
    as_json: Json = False,
) -> None:
    """Write scores, losses and rewards over rounds, out of run folders, for TensorBoard or MLflow."""
    from knexa.cli.export import export_runs

    export_runs(folders, tensorboard, mlflow, as_json=as_json)


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
