"""How do strategies compare on the embedded fleet? Keeps the rows of a finished `knexa compare`.

    knexa compare --strategies knexa,random,local,heuristic --seeds 0-4 --out runs/comparison
    python benchmarks/comparison.py runs/comparison

Scores are measured by `knexa compare`; commit and machine in a row are those of its run, not of this script. Appends to results/.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

from rows import append, row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the --out of a comparison")
    folder = parser.parse_args().folder
    for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        measured = json.loads(line)
        config = tomllib.loads((folder / measured["strategy"] / f"seed-{measured['seed']}" / "config.toml").read_text(encoding="utf-8"))
        budget = {
            "agents": len(config["agents"]),
            "engine": config["engine"]["kind"],
            "local_steps": [config["local"]["first_steps"], config["local"]["steps"]],
            "distillation_steps": config["distillation"]["steps"],
            "prompts": config["distillation"]["prompts"],
        }
        append({**row("comparison", **budget), **measured})


if __name__ == "__main__":
    main()
