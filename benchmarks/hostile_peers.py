"""What do hostile peers cost honest agents, and what does each defence save?

    python benchmarks/hostile_peers.py --seeds 0 --rounds 5 --attacks none,poisoned,overfitted --strategies knexa,knexa-no-verify
    python benchmarks/hostile_peers.py --list

Each attack is a setting of ``faults`` (quickstart fleet, six agents), each strategy a defence left out; all share one budget and start from
the same bytes. Scores are means over honest agents. Cells lie in --out and are not run again; a row for each goes to results/ when it is
first there.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from knexa.cli.compare import seed_range
from knexa.config import FederationConfig, load_config
from knexa.record import RunRecord, read_run
from knexa.study.compare import compare
from rows import append, row

#: One of six agents is 17 %, two are 33 %: what 20 and 40 % come to here.
ATTACKS = {
    "none": [],
    "poisoned": ['{kind = "poisoned", share = 0.2}'],
    "overfitted": ['{kind = "poisoned", share = 0.2, strength = "overfitted"}'],
    "overfitted-40": ['{kind = "poisoned", share = 0.4, strength = "overfitted"}'],
    "backdoored": ['{kind = "backdoored", share = 0.2}'],
    "copycat": ['{kind = "copycat", share = 0.2}'],
    "lazy": ['{kind = "lazy", share = 0.2}'],
    "lying-40": ['{kind = "lying", share = 0.4}'],
}


def settings(attack: str, strategy: str, seed: int, rounds: int, problems: int) -> FederationConfig:
    few = [
        f"evaluation.problems={problems}",
        "evaluation.samples=4",
        "evaluation.k=[1,4]",
        "evaluation.curve_every=0",
        "engine.kind=serial",
    ]
    return load_config(strategy=strategy, seed=seed, rounds=rounds, sets=[*few, f"faults=[{', '.join(ATTACKS[attack])}]"])


def lessons(run: RunRecord) -> dict[str, float | None]:
    """Of exchanges with an honest student: which share hostile teachers gave, by thirds of the run, and how many of theirs were undone."""
    heard = [one for one in run.exchanges if one.student in run.honest and one.accepted is not None]
    hostile = [one for one in heard if one.teacher not in run.honest]
    by_third = Counter(3 * (one.round - 1) // run.rounds for one in hostile), Counter(3 * (one.round - 1) // run.rounds for one in heard)
    shares = {f"hostile_share_{third + 1}": by_third[0][third] / by_third[1][third] if by_third[1][third] else None for third in range(3)}
    undone = sum(not one.accepted for one in hostile) / len(hostile) if hostile else None
    kept = sum(one.kept for one in hostile) / max(1, sum(one.texts for one in hostile)) if hostile else None
    return {**shares, "hostile_undone": undone, "hostile_kept": kept}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--attacks", default="none,overfitted")
    parser.add_argument("--strategies", default="knexa,knexa-no-verify,knexa-no-acceptance,knexa-no-trust,random")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=126)
    parser.add_argument("--out", type=Path, default=Path("runs/hostile-peers"))
    parser.add_argument("--list", action="store_true")
    wanted = parser.parse_args()
    if wanted.list:
        print("\n".join(f"{name}: {', '.join(faults) or 'nobody'}" for name, faults in ATTACKS.items()))
        return
    for seed in seed_range(wanted.seeds):
        for attack in wanted.attacks.split(","):
            for strategy in wanted.strategies.split(","):
                _cell(attack, strategy, seed, wanted.rounds, wanted.problems, wanted.out)


def ran(config: FederationConfig, attack: str, strategy: str, out: Path) -> tuple[Path, Mapping[str, Any]]:
    """The folder of the cell and its row of scores; at once where it has been run already."""
    folder = out / attack
    # All attacks share the results of equal jobs: what honest agents do before they meet an attacker is the same.
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "cache").exists():
        (out / "cache").mkdir(exist_ok=True)
        (folder / "cache").symlink_to((out / "cache").resolve())
    (found,) = compare([config], folder, strategy, lambda *_: nullcontext(lambda progress: None), tell=lambda line: None)
    return folder / strategy / f"seed-{config.seed}", found


def _cell(attack: str, strategy: str, seed: int, rounds: int, problems: int, out: Path) -> None:
    config = settings(attack, strategy, seed, rounds, problems)
    cell, found = ran(config, attack, strategy, out)
    known = (cell / "measured").exists()
    figures = lessons(read_run(cell))
    scores = {name: found[name] for name in ("pass@1", "loss", "payload", "memory", "exchanges")}
    hostile = [name for fault in config.faults for name in fault.agents]
    result = row(
        "hostile_peers", attack=attack, strategy=strategy, seed=seed, rounds=rounds, problems=problems, hostile=hostile, **scores, **figures
    )
    print(
        f"seed {seed}  {attack:14} {strategy:22} Pass@1 {100 * scores['pass@1']:5.1f} %  payload {scores['payload']}  {figures}", flush=True
    )
    if not known:
        append(result)
        (cell / "measured").touch()


if __name__ == "__main__":
    main()
