"""How long does an evaluation of the embedded fleet take to write its answers, by how many rows are decoded together?

    python benchmarks/evaluation_speed.py [--rows 128 512] [--repeats 3]

For each architecture, after a short local update so that answers end as they do in a run: ``--problems`` problems of the test split, ten
samples each at temperature 0.4, one thread. Medians in seconds, every number of rows in turn. To compare two commits, run it from
checkouts of both (``PYTHONPATH=CHECKOUT/src``) in one sitting. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import torch

from knexa.config import LocalConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.backbone import EMBEDDED
from knexa.learning.generation import generate
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of
from rows import append, row

SAMPLES, TOKENS, STEPS = 10, 64, 30


def seconds(name: str, prompts: list[str], rows: list[int], repeats: int, seed: int) -> dict[str, float]:
    """Median seconds by number of rows."""
    learner = Learner(f"embedded:{name}", LocalConfig(learning_rate=3e-3, batch_size=8))
    learner.reset(seed)
    learner.local_update(texts_of(load_bank().private[:200]), STEPS, STEPS, seed=seed)
    found: dict[int, list[float]] = {number: [] for number in rows}
    given: dict[str, Any] = {"max_new_tokens": TOKENS, "temperature": 0.4, "samples": SAMPLES, "seed": seed}
    with learner._adapter.folded_in() as model:
        generate(model, learner._tokenizer, prompts[:4], **given)
        for _ in range(repeats):
            for number in rows:
                began = time.perf_counter()
                generate(model, learner._tokenizer, prompts, batch_rows=number, **given)
                found[number].append(time.perf_counter() - began)
    return {str(number): round(median(took), 3) for number, took in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prompts = [problem.prompt for problem in load_bank().test[::4]][: arguments.problems]
    took = {name: seconds(name, prompts, arguments.rows, arguments.repeats, arguments.seed) for name in EMBEDDED}
    about = {"problems": len(prompts), "samples": SAMPLES, "new_tokens": TOKENS, "repeats": arguments.repeats}
    result = row("evaluation_speed", seed=arguments.seed, **about, seconds_by_rows=took)
    append(result)
    print(result)


if __name__ == "__main__":
    main()
