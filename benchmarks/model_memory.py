"""What does an agent more cost in memory, where its backbone is there already?

Agents on one backbone share its frozen weights (``learning/learner.py``), so memory should grow by adapters and their optimiser's moments
only. Fresh processes open the workplace of preset ``smollm``, and train each agent alone, then all six in one, for a step, profile and all.
How long an agent's texts are decides most of its peak, so six are compared with the largest alone. Appends the peaks and their ratio to
results/model_memory.jsonl. Run ``python benchmarks/model_memory.py --mbpp PATH``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rows import append, row

WORK = """
import json, resource, sys
from knexa.config import load_config
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Train
chosen, backbone, mbpp = [int(number) for number in sys.argv[1].split(",")], sys.argv[2], sys.argv[3]
small = ["local.first_steps=1", "generation.max_new_tokens=8", f"data.mbpp={mbpp}", "engine.device=cpu"]
config = load_config(preset="smollm", sets=small)
config = config.model_copy(update={"agents": tuple(one.model_copy(update={"backbone": backbone}) for one in config.agents)})
with LearningWorkplace(config) as place:
    states = {config.agents[number].name: place.start(config.agents[number].name) for number in chosen}
    for name, state in states.items():
        _, states[name] = place.perform(name, Train(1), state, 1)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak_mb": round(peak), "state_mb": round(len(state) / 2**20, 1)}))
"""


def measured(agents: Sequence[int], backbone: str, mbpp: Path) -> dict[str, float]:
    """Peak memory (MB) of a process in which these agents trained, and the size of an agent's state."""
    command = [sys.executable, "-c", WORK, ",".join(map(str, agents)), backbone, str(mbpp)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="package:smollm2-135m")
    parser.add_argument("--mbpp", type=Path, required=True)
    given = parser.parse_args()
    alone = [measured([number], given.backbone, given.mbpp) for number in range(6)]
    six, largest = measured(range(6), given.backbone, given.mbpp), max(one["peak_mb"] for one in alone)
    figures = {"alone": alone, "six": six, "six_over_largest": round(six["peak_mb"] / largest, 3)}
    print(figures)
    append(row("model_memory", seed=42, backbone=given.backbone, **figures))
