"""Does collaboration pay where nothing can be run? Every agent's held-out loss against training alone, at equal budget.

    knexa compare --preset text --strategies local,random,knexa --seeds 0-2 --out runs/text
    python benchmarks/text_task.py runs/text

Losses are measured by `knexa compare`; commit and machine in a row are those of its run, not of this script. Appends to results/.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rows import append, row


def ends(folder: Path) -> dict[str, dict[str, Any]]:
    """Final loss and exact matches by agent."""
    return {one["agent"]: one["end"] for one in json.loads((folder / "summary.json").read_text(encoding="utf-8"))["agents"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the --out of a comparison that has the strategy local")
    folder = parser.parse_args().folder
    for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        measured = json.loads(line)
        seed = f"seed-{measured['seed']}"
        alone, found = ends(folder / "local" / seed), ends(folder / measured["strategy"] / seed)
        losses = {agent: end["loss"] for agent, end in found.items()}
        lower = {agent: alone[agent]["loss"] - loss for agent, loss in losses.items()}
        append({**row("text_task"), **measured, "losses": losses, "below_local": lower})
        worst = min(lower, key=lambda agent: lower[agent])
        least = f"least below local {lower[worst]:+.3f} ({worst})"
        print(f"{measured['strategy']}, {seed}: mean loss {measured['loss']:.3f}, {least}")


if __name__ == "__main__":
    main()
