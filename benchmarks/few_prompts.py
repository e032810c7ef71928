"""With few prompts an exchange, is the pair worth choosing, or what is asked? Keeps the rows of finished runs.

    knexa run --strategy knexa-no-curriculum --seed 0 --rounds 8 --set distillation.prompts=16 --set evaluation.curve_every=4 --out runs/n
    python benchmarks/few_prompts.py --measured-at COMMIT runs/n

Greedy Pass@1 on the validation split, mean over agents, at the rounds at which it was taken. ``--measured-at``: the commit that the runs
are of, since their folders do not say. ``--note``: what was changed for them in a copy of the code. Appends to results/.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

from knexa.record import read_run
from rows import append, row


def curve(folder: Path) -> dict[str, float]:
    """Mean over agents by round."""
    scores = defaultdict(list)
    for one in read_run(folder).evaluations:
        if one.stage == "round" and one.split == "validation":
            scores[one.round].append(one.scores["pass@1"] or 0.0)
    return {str(round_): round(statistics.mean(values), 4) for round_, values in sorted(scores.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="run folders")
    parser.add_argument("--measured-at", required=True, help="commit of the code that ran")
    parser.add_argument("--note", default="", help="what was changed in it")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        run = read_run(folder)
        about = {"strategy": run.strategy, "seed": run.seed, "rounds": run.rounds, "agents": len(run.agents)}
        prompts = run.config["distillation"]["prompts"]
        append(
            {
                **row("few_prompts", **about, prompts=prompts),
                "commit": arguments.measured_at,
                "note": arguments.note,
                "validation": curve(folder),
            }
        )


if __name__ == "__main__":
    main()
