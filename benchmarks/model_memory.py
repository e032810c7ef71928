"""What does an agent more cost in memory, where its backbone is there already?

Agents on one backbone share its frozen weights (``learning/learner.py``), so memory should grow by adapters and their optimiser's moments
only. Each of two fresh processes opens the workplace of preset ``smollm``, and trains one agent or all six for a step, profile and all.
Appends peak memory of both, and their ratio, to results/model_memory.jsonl. Run ``python benchmarks/model_memory.py --mbpp PATH``.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rows import append, row

WORK = """
import json, resource, sys
from knexa.config import load_config
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Train
agents, backbone, mbpp = int(sys.argv[1]), sys.argv[2], sys.argv[3]
small = ["local.first_steps=1", "generation.max_new_tokens=8", f"data.mbpp={mbpp}", "engine.device=cpu"]
config = load_config(preset="smollm", sets=small)
config = config.model_copy(update={"agents": tuple(one.model_copy(update={"backbone": backbone}) for one in config.agents)})
with LearningWorkplace(config) as place:
    states = {one.name: place.start(one.name) for one in config.agents[:agents]}
    for name, state in states.items():
        _, states[name] = place.perform(name, Train(1), state, 1)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak_mb": round(peak), "state_mb": round(len(state) / 2**20, 1)}))
"""


def measured(agents: int, backbone: str, mbpp: Path) -> dict[str, float]:
    """Peak memory (MB) of a process in which so many agents trained, and the size of an agent's state."""
    command = [sys.executable, "-c", WORK, str(agents), backbone, str(mbpp)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="package:smollm2-135m")
    parser.add_argument("--mbpp", type=Path, required=True)
    given = parser.parse_args()
    one, six = (measured(agents, given.backbone, given.mbpp) for agents in (1, 6))
    figures = {"one": one, "six": six, "six_over_one": round(six["peak_mb"] / one["peak_mb"], 3)}
    print(figures)
    append(row("model_memory", seed=42, backbone=given.backbone, **figures))
