"""Round by round: how do honest agents fare under attack, with a defence and without?

    python benchmarks/hostile_curves.py --seeds 0 --attacks none,overfitted --strategies knexa,knexa-no-acceptance,random
    python benchmarks/hostile_curves.py --figure docs/figures/hostile-overfitted.svg      # from cells that lie in --out

Attacks are those of hostile_peers.py. A point is the greedy Pass@1 on the validation problems that all agents share, mean over honest
agents and seeds. Under attack those are fewer: their curve where nobody is hostile is over the same agents. A row for each line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hostile_peers import ran, settings
from knexa.cli.compare import seed_range
from knexa.record import RunRecord, read_run
from knexa.report.page import style_sheet
from knexa.report.svg import Series, line_chart, percent, round_axis, value_axis
from rows import append, row


def _cell(attack: str, strategy: str, seed: int, rounds: int, out: Path) -> RunRecord:
    """The run, measured after every round; at once where it is there already."""
    config = settings(attack, strategy, seed, rounds, problems=12)
    evaluation = config.evaluation.model_copy(update={"curve_every": 1})
    return read_run(ran(config.model_copy(update={"evaluation": evaluation}), attack, strategy, out)[0])


def curve(run: RunRecord, agents: tuple[str, ...]) -> list[float]:
    """Mean Pass@1 of ``agents`` after each round."""
    found = [one for one in run.evaluations if one.stage == "round" and one.agent in agents]
    rounds = sorted({one.round for one in found})
    return [float(np.mean([one.scores["pass@1"] for one in found if one.round == round])) for round in rounds]


def figure(title: str, curves: dict[str, list[float]]) -> str:
    """Rounds to the right, Pass@1 upwards; a line for each attack and strategy."""
    series = [
        Series(name, [(index + 1, value) for index, value in enumerate(values)], f"s{at}", dots=True)
        for at, (name, values) in enumerate(curves.items())
    ]
    everything = [value for values in curves.values() for value in values]
    x = round_axis("round", 1, max(map(len, curves.values())), 66.0, 700.0)
    y = value_axis("Pass@1 of honest agents", everything, 290.0, 60.0, form=percent)
    return line_chart(title, series, x, y, width=720, height=340).replace(">", f"><style>{style_sheet()}</style>", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--attacks", default="none,overfitted")
    parser.add_argument("--strategies", default="knexa,knexa-no-acceptance,random")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/hostile-curves"))
    parser.add_argument("--figure", type=Path)
    wanted = parser.parse_args()
    attacks, seeds = wanted.attacks.split(","), list(seed_range(wanted.seeds))
    curves: dict[str, list[float]] = {}
    for strategy in wanted.strategies.split(","):
        runs = {attack: [_cell(attack, strategy, seed, wanted.rounds, wanted.out) for seed in seeds] for attack in attacks}
        honest = [runs[attacks[-1]][at].honest for at in range(len(seeds))]
        for attack in attacks:
            lines = [curve(run, agents) for run, agents in zip(runs[attack], honest, strict=True)]
            curves[f"{strategy}, {attack}"] = list(map(float, np.mean(lines, axis=0)))
            print(f"{strategy:22} {attack:14} {' '.join(f'{100 * value:5.1f}' for value in curves[f'{strategy}, {attack}'])}", flush=True)
            if wanted.figure is None:
                about = {"attack": attack, "strategy": strategy, "seeds": seeds, "rounds": wanted.rounds}
                append(row("hostile_curves", **about, agents=honest, curve=curves[f"{strategy}, {attack}"]))
    if wanted.figure is not None:
        wanted.figure.write_text(figure(f"honest agents under attack: {', '.join(attacks)}", curves), encoding="utf-8")


if __name__ == "__main__":
    main()
