"""Where does choosing the pair pay, and where choosing what is taught?

    python benchmarks/where_pairing_pays.py [--seeds 8] [--figure docs/where-pairing-pays.svg]

Six knobs of the teaching world (``knexa.study.worlds.teaching``), all combinations: agents, rounds, prompts an exchange, spread of
strengths and data, share of poor teachers, verified or plain distillation. Four methods each: random pairs and the gap bandit, with
and without the curriculum. Counted is the mean competence at the end, as gain over random pairs without curriculum, paired by seed.
Appends one row a combination to results/, and draws the mean gains by each knob.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from knexa.report.page import style_sheet
from knexa.report.svg import bars
from knexa.study.methods import METHODS
from knexa.study.statistics import paired_interval
from knexa.study.trajectory import simulate
from knexa.study.worlds.teaching import TeachingWorld
from rows import append, row

KNOBS: Mapping[str, Sequence[Any]] = {
    "agents": (6, 24),
    "rounds": (5, 20),
    "prompts": (16, 128),
    "heterogeneity": ("high", "low"),
    "poor_teachers": (0.0, 1 / 3),
    "verified": (True, False),
}
BASE = "random"
#: What is chosen, and the method that chooses it.
CHOSEN = {"pair": "gap", "what": "random-curriculum", "both": "gap-curriculum"}


def world(setting: Mapping[str, Any], seed: int) -> TeachingWorld:
    return TeachingWorld(
        setting["agents"],
        setting["heterogeneity"],
        seed,
        budget=setting["prompts"],
        verify=setting["verified"],
        poor=setting["poor_teachers"],
    )


def final_competence(setting: Mapping[str, Any], method: str, seed: int) -> float:
    here = world(setting, seed)
    return float(simulate(here, METHODS[method](here, setting["rounds"], seed), setting["rounds"], seed).welfare[-1])


def measure(setting: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    scores = {method: [final_competence(setting, method, seed) for seed in range(seeds)] for method in (BASE, *CHOSEN.values())}
    gains = {name: paired_interval(scores[method], scores[BASE]) for name, method in CHOSEN.items()}
    alone = float(np.mean([world(setting, seed).welfare() for seed in range(seeds)]))
    return {
        "seeds": seeds,
        "alone": round(alone, 4),
        "random": round(float(np.mean(scores[BASE])), 4),
        **{name: [round(value, 4) for value in (gain.mean, gain.low, gain.high)] for name, gain in gains.items()},
    }


def figure(measured: Sequence[tuple[Mapping[str, Any], dict[str, Any]]]) -> str:
    """Mean gain in points over all combinations with a knob at a value."""
    lines = []
    for knob, values in KNOBS.items():
        for value in values:
            here = [result for setting, result in measured if setting[knob] == value]
            for name in CHOSEN:
                gain = 100 * float(np.mean([result[name][0] for result in here]))
                shown = f"{value:.2f}" if isinstance(value, float) else str(value)
                lines.append((f"{knob} {shown}: {name}", gain, f"{gain:+.1f}"))
    drawing = bars("gain in points of competence over random pairs, by knob and by what is chosen", lines, "points", width=720)
    return drawing.replace(">", f"><style>{style_sheet()}</style>", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    measured = []
    for values in product(*KNOBS.values()):
        setting = dict(zip(KNOBS, values, strict=True))
        result = measure(setting, arguments.seeds)
        measured.append((setting, result))
        append({**row("where_pairing_pays", **setting), **result})
        print(setting, {name: f"{100 * result[name][0]:+.1f}" for name in CHOSEN})
    if arguments.figure is not None:
        arguments.figure.write_text(figure(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
