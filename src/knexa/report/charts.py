"""The charts of one run: who taught whom, rewards, scores over rounds, categories, bytes and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from knexa.record import SCORES, Evaluation, Exchange, RunRecord
from knexa.report.svg import COLOURS, Axis, Cell, Series, bars, drawing, heat_map, line_chart, percent, round_axis, text, value_axis
from knexa.report.tables import duration

#: Edges of the plotting area of a chart over rounds, in user units of the drawing.
LEFT, RIGHT, TOP, BOTTOM = 66.0, 548.0, 56.0, 270.0
#: Width of the page: what is wider has to be scrolled.
PAGE = 1140.0


def teaching(run: RunRecord) -> str:
    """Rounds from left to right, agents from top to bottom; each exchange an arrow from teacher to student."""
    order = {agent: index for index, agent in enumerate(run.agents)}
    left, line, top = 34 + 7.2 * max(map(len, run.agents)), 26, 30
    slots = max((count for count in Counter(one.round for one in run.exchanges).values()), default=1)
    between, right = 14, 12
    slot = max(7.0, min(44.0, (PAGE - left - right - between * run.rounds) / max(1, run.rounds * slots)))
    column = slot * slots + between
    width, bottom = left + column * run.rounds + right, top + line * len(run.agents)
    worst = max((abs(one.reward) for one in run.exchanges if one.reward is not None), default=1.0) or 1.0
    body = [text(left + column * run.rounds / 2, 12, "round", anchor="middle", style="label")]
    for agent, index in order.items():
        y = top + line * (index + 0.5)
        body.append(
            f'<line class="grid" x1="{left:.1f}" x2="{width - right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            + text(left - 8, y + 4, agent, anchor="end", style="tick")
        )
    for round in range(1, run.rounds + 1):
        x = left + column * (round - 1)
        shade = "stripe" if round % 2 else "none"
        body.insert(0, f'<rect class="{shade}" x="{x:.1f}" y="{top}" width="{column:.1f}" height="{bottom - top}"/>')
        body.append(text(x + column / 2, top - 6, str(round), anchor="middle", style="tick"))
        for number, one in enumerate(one for one in run.exchanges if one.round == round):
            rows = (top + line * (order[one.teacher] + 0.5), top + line * (order[one.student] + 0.5))
            body.append(_arrow(one, x + between / 2 + slot * (number + 0.5), *rows, worst, pending=run.pending(one)))
    return drawing(width, bottom + 8, "who taught whom in each round", body)


def _arrow(one: Exchange, x: float, start: float, end: float, worst: float, *, pending: bool) -> str:
    """Green for a positive reward, red for a negative one, stronger the larger; dashed where nothing was measured or kept.

    Without a reward an exchange has failed, unless it is ``pending``.
    """
    down = 1 if end > start else -1
    without = "open" if pending else "lost"
    style = without if one.reward is None else "good" if one.reward >= 0 else "bad"
    if one.accepted is False:
        style += " undone"
    weight = 0.35 + 0.65 * abs(one.reward or 0.0) / worst
    nothing = "open: its round is not over" if pending else "failed"
    result = nothing if one.reward is None else f"reward {one.reward:.3f}, {one.kept} of {one.texts} texts kept"
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{start:.1f}" y2="{end - 7 * down:.1f}"/>'
    head = f'<path class="head" d="M{x - 4.5:.1f},{end - 8 * down:.1f} h9 L{x:.1f},{end:.1f} z"/>'
    hint = f"<title>round {one.round}: {one.teacher} taught {one.student}{f' ({one.path})' if one.path else ''}: {result}</title>"
    return f'<g class="arrow {style}" opacity="{weight:.2f}">{hint}{line}<circle cx="{x:.1f}" cy="{start:.1f}" r="3.5"/>{head}</g>'


def rewards(run: RunRecord) -> str:
    """Every exchange a dot, the mean of a round a line."""
    dots = [(float(one.round), one.reward) for one in run.exchanges if one.reward is not None]
    means = [(float(r), fmean(value for at, value in dots if at == r)) for r in sorted({int(at) for at, _ in dots})]
    y = value_axis("reward (nats less price of bytes)", [value for _, value in dots], BOTTOM, TOP, zero=True)
    series = [Series("one exchange", dots, "s1", dots=True, line=False), Series("mean of the round", means, "mean")]
    return line_chart("reward of every exchange over rounds", series, _rounds(run, 1), y)


def scores(run: RunRecord) -> str:
    """The score of greedy answers on the validation split after every round: each agent thin, the mean thick."""
    lines = {agent: _curve(run, agent) for agent in run.agents}
    many = len(run.agents) > COLOURS
    series = [
        Series("" if many else agent, points, "thin" if many else f"s{i}") for i, (agent, points) in enumerate(lines.items()) if points
    ]
    series.append(Series("mean", mean_curve(run, run.agents), "mean"))
    y = value_axis(
        f"{SCORES[run.score]}, validation", [value for one in series for _, value in one.points], BOTTOM, TOP, form=percent, zero=True
    )
    return line_chart(f"{SCORES[run.score]} on validation problems over rounds", series, _rounds(run, 1), y)


def mean_curve(run: RunRecord, agents: Sequence[str]) -> list[tuple[float, float]]:
    """Mean validation score over ``agents`` for every round that all of them finished."""
    by_round: dict[int, list[float]] = {}
    for agent in agents:
        for at, value in _curve(run, agent):
            by_round.setdefault(int(at), []).append(value)
    return [(float(r), fmean(values)) for r, values in sorted(by_round.items()) if len(values) == len(agents)]


def memory(run: RunRecord) -> str:
    """Verified texts that an agent holds after every round, mean over agents."""
    held: dict[int, list[int]] = {}
    for one in run.evaluations:
        if one.stage == "round":
            held.setdefault(one.round, []).append(one.memory)
    points = [(float(r), fmean(values)) for r, values in sorted(held.items())]
    y = value_axis("texts held by an agent", [value for _, value in points], BOTTOM, TOP, zero=True)
    return line_chart("verified texts in memory over rounds", [Series("mean over agents", points, "mean")], _rounds(run, 1), y)


def categories(run: RunRecord, stage: str) -> str:
    """The score by agent and category on test problems, at ``stage`` start or end."""
    found = {agent: run.at(agent, stage) for agent in run.agents}
    columns = list(dict.fromkeys(name for one in found.values() if one for name in one.by_category))
    cells = [[_share(agent, one, name) for name in columns] for agent, one in found.items()]
    return heat_map(
        f"{SCORES[run.score]} by category at the {stage}",
        run.agents,
        [name.replace("_", " ") for name in columns],
        cells,
        ("agent", "category"),
    )


def _share(agent: str, one: Evaluation | None, category: str) -> Cell | None:
    if one is None or category not in one.by_category:
        return None
    value = one.by_category[category]
    return Cell(f"{100 * value:.0f}", value, hint=f"{agent}, {category}: {100 * value:.1f} %")


def meetings(run: RunRecord) -> str:
    """How often each agent taught each other, coloured by the mean reward."""
    measured = [one for one in run.exchanges if one.reward is not None]
    rewards_of: dict[tuple[str, str], list[float]] = {}
    for one in measured:
        rewards_of.setdefault((one.teacher, one.student), []).append(one.reward or 0.0)
    means = {pair: fmean(values) for pair, values in rewards_of.items()}
    worst = max(map(abs, means.values()), default=1.0) or 1.0
    cells = [[_meeting(a, b, rewards_of.get((a, b)), worst) for b in run.agents] for a in run.agents]
    return heat_map("how often who taught whom", run.agents, run.agents, cells, ("teacher", "student"))


def _meeting(teacher: str, student: str, values: Sequence[float] | None, worst: float) -> Cell | None:
    if not values:
        return None
    mean = fmean(values)
    hint = f"{teacher} taught {student} {len(values)} times, mean reward {mean:.3f}"
    return Cell(str(len(values)), abs(mean) / worst, "good" if mean >= 0 else "bad", hint)


def traffic(run: RunRecord) -> str:
    totals: Counter[int] = Counter()
    for one in run.exchanges:
        totals[one.round] += one.bytes
    rows = [(f"round {round}", totals[round] / 1000, f"{totals[round] / 1000:.1f} kB") for round in sorted(totals)]
    return bars("kilobytes exchanged in every round", rows, "kilobytes between agents (1 kB = 1,000 bytes)")


def time_spent(run: RunRecord) -> str:
    """Seconds of work by kind of job, summed over workers."""
    rows = [(job, seconds, duration(seconds)) for job, seconds in job_seconds(run).items()]
    return bars("seconds of work by kind", rows, "seconds of work, summed over workers")


def job_seconds(run: RunRecord) -> Mapping[str, float]:
    """Kind of job to seconds of work, most first."""
    totals: Counter[str] = Counter()
    for job in run.jobs:
        totals[job["job"]] += job["seconds"]
    return dict(totals.most_common())


def _curve(run: RunRecord, agent: str) -> list[tuple[float, float]]:
    chosen = [(one.round, one.scores.get(run.score)) for one in run.evaluations if one.agent == agent and one.stage == "round"]
    return [(float(at), value) for at, value in chosen if value is not None]


def _rounds(run: RunRecord, first: int) -> Axis:
    return round_axis("round", first, run.rounds, LEFT, RIGHT)
