"""``report.html``: one self-contained page out of run folders; no script, no network, no state of the simulation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import tomli_w
from markupsafe import Markup

from knexa.errors import ConfigurationError, RunFolderError
from knexa.record import SCORES, RunRecord, read_run
from knexa.report import charts, comparison
from knexa.report.tables import duration, final_rows, headings, nats, share, shown
from knexa.summary import summary_of

REPORT_FILE = "report.html"


def write_report(folders: Sequence[Path]) -> Path:
    """Write the page of one run into its folder, that of several into the folder they share; return its path. A folder counts once.

    Raises RunFolderError for what is no run folder and where the page cannot be written, ConfigurationError for an empty list.
    """
    if not folders:
        raise ConfigurationError("report: found no run folder; pass at least one, such as runs/knexa-seed42-1")
    by_place: dict[Path, Path] = {}
    for folder in folders:
        by_place.setdefault(folder.resolve(), folder)
    once = list(by_place.values())
    runs = [read_run(folder) for folder in once]
    target = (once[0] if len(runs) == 1 else _shared(once)) / REPORT_FILE
    content = run_page(runs[0]) if len(runs) == 1 else comparison_page(runs)
    try:
        target.write_text(content, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{target}: cannot be written ({error.strerror}); make room, or copy the runs to another folder") from error
    return target


def run_page(run: RunRecord) -> str:
    drawn = {"before": charts.categories(run, "start"), "after": charts.categories(run, "end"), "time": charts.time_spent(run)}
    if any(one.stage == "round" for one in run.evaluations):
        drawn |= {"scores": charts.scores(run), "memory": charts.memory(run)}
    if run.exchanges:
        drawn |= {
            "teaching": charts.teaching(run),
            "meetings": charts.meetings(run),
            "rewards": charts.rewards(run),
            "traffic": charts.traffic(run),
        }
    seconds = "an unknown time" if run.seconds is None else duration(run.seconds)
    configuration = tomli_w.dumps(_without_none(run.config))
    return render(
        "run.html",
        drawn,
        run=run,
        score=SCORES[run.score],
        cards=_cards(run),
        headings=headings(summary_of(run))[1:],
        rows=_rows(run),
        pending=any(run.pending(one) for one in run.exchanges),
        seconds=seconds,
        configuration=configuration,
    )


def comparison_page(runs: Sequence[RunRecord]) -> str:
    ordered = sorted(runs, key=lambda run: (comparison.strategies(runs).index(run.strategy), run.seed))
    drawn = {"final": comparison.final_scores(ordered)}
    if any(one.stage == "round" for run in ordered for one in run.evaluations):
        drawn["curves"] = comparison.curves(ordered)
    return render(
        "comparison.html",
        drawn,
        runs=ordered,
        score=SCORES[comparison.scores(ordered)[0]],
        headings=[SCORES[name] for name in comparison.scores(ordered)],
        rows=comparison.rows(ordered),
        averaged=comparison.averaged(ordered),
        repeated=comparison.repeated(ordered),
        strategies=comparison.strategies(ordered),
        seeds=sorted({run.seed for run in ordered}),
        unfinished=[str(run.folder) for run in ordered if not run.finished],
        unequal=comparison.unequal_seeds(ordered),
    )


def render(name: str, drawn: Mapping[str, str], **values: Any) -> str:
    """The page of template ``name`` with the charts ``drawn`` (SVG) and ``values``, which are escaped."""
    templates = resources.files("knexa.report") / "templates"
    loader = jinja2.FunctionLoader(lambda file: (templates / file).read_text(encoding="utf-8"))
    page = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).get_template(name)
    return page.render(style=Markup(style_sheet()), charts={key: Markup(svg) for key, svg in drawn.items()}, **values)


def style_sheet() -> str:
    """The colours and lines that every page and drawing shares: a file of ours, no value of a run."""
    return (resources.files("knexa.report") / "templates" / "style.css").read_text(encoding="utf-8")


def _cards(run: RunRecord) -> list[dict[str, str]]:
    summary = summary_of(run)
    mean, names = summary["mean"], shown(summary)
    start, end = mean["start"], mean["end"]
    cards = [
        (f"mean {SCORES[name]}", f"{share(start[name])} → {share(end[name])}", "percent, test split")
        for name in names
        if name in ("pass@1", "pass@10", "exact_match")
    ]
    cards.append(("mean loss", f"{nats(start['loss'])} → {nats(end['loss'])}", "nats a token"))
    cards += _sent(run)
    memory = "" if run.peak_rss_mb is None else f"at most {run.peak_rss_mb:,.0f} MB of memory"
    cards.append(("time", "n/a" if run.seconds is None else duration(run.seconds), memory))
    return [{"name": name, "value": value, "note": note} for name, value, note in cards]


def _sent(run: RunRecord) -> list[tuple[str, str, str]]:
    """Cards of what went from agent to agent, or to a baseline's server and back; none where everybody learns alone."""
    cards = []
    if run.exchanges:
        over = [one.accepted is True for one in run.exchanges if one.accepted is not None or not run.pending(one)]
        going = f", {len(run.exchanges) - len(over)} still open" if len(over) < len(run.exchanges) else ""
        kilobytes = sum(one.bytes for one in run.exchanges) / 1000
        cards.append(("exchanges", f"{sum(over)} of {len(over)}", f"kept by the student{going}"))
        cards.append(("exchanged", f"{kilobytes:,.1f} kB", f"between agents{': ' if run.paths else ''}{run.paths}"))
        cards.append(("guardrails", f"{sum(one.withheld for one in run.exchanges):,} kept back", _vetting(run)))
    if run.central:
        up, down = (sum(one[way] for one in run.central) / 1000 for way in ("bytes_up", "bytes_down"))
        rounds = f"{len(run.central)} round{'' if len(run.central) == 1 else 's'}"
        cards.append((f"server ({run.central[0]['method']})", f"{up:,.1f} kB to it", f"and {down:,.1f} kB from it, in {rounds}"))
    return cards


def _vetting(run: RunRecord) -> str:
    """What students refused, and how sensitive at most a package was that left."""
    refused = f"texts of teachers; {sum(one.refused for one in run.exchanges):,} refused by students"
    known = [one.sier for one in run.exchanges if one.sier is not None]
    return f"{refused}; at most {100 * max(known):.1f} % of a package sensitive" if known else refused


def _rows(run: RunRecord) -> list[list[str]]:
    """The terminal's final table with backbone and memory added."""
    agents = {agent["name"]: agent for agent in run.config["agents"]}
    table = []
    for name, *cells in final_rows(summary_of(run)):
        agent = agents.get(name)
        faults = [fault["kind"] for fault in run.config.get("faults", ()) if name in fault["agents"]]
        behaviour = f" ({', '.join(faults)})" if faults else ""
        end = run.at(name, "end")
        table.append([name, f"{agent['backbone']}{behaviour}" if agent else "", *cells, str(end.memory) if end else ""])
    return table


def _shared(folders: Sequence[Path]) -> Path:
    """The page of several runs lies beside them. Raises RunFolderError where that would be the root of the file system."""
    shared = Path(os.path.commonpath([folder.resolve() for folder in folders]))
    if shared == shared.parent:
        both = f"{folders[0]} and {folders[1]}" if len(folders) == 2 else f"these {len(folders)} runs"
        raise RunFolderError(f"report: {both} share no folder but {shared}, where no page belongs; copy them into one folder first")
    return shared


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value
