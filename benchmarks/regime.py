"""Is the embedded federation one in which agents have something to teach each other?

Measures, for the federation of a preset: each backbone before any fine-tuning; each agent after its local update alone (in its
own main categories, and overall); and one model of each backbone trained on all private data. The targets stand in
docs/embedded-fleet.md. Run ``python benchmarks/regime.py [--split validation|test] [--steps N]``: ``validation`` (with the probe) for
choices, ``test`` only for the figures that are reported.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from knexa.config import FederationConfig, load_config
from knexa.evaluation.partition import category_histogram
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.evaluation.sandbox import Sandbox
from knexa.learning.learner import Learner, use_threads
from knexa.participant.data import federation_data
from knexa.participant.measure import Checker, sampled_scores, texts_of
from rows import append, row

#: An agent's main categories hold at least this share of its private data.
MAIN = 0.2


def measure(config: FederationConfig, split: str, all_data_steps: int) -> dict[str, object]:
    data = federation_data(config)
    problems = data.test if split == "test" else data.curve + data.probe
    local = config.local
    steps = local.first_steps + local.steps * (config.rounds - 1)
    everything = [problem for private in data.private.values() for problem in private.train]
    figures: dict[str, object] = {"base": {}, "all_data": {}, "agents": {}}
    with Sandbox(timeout_s=config.sandbox.timeout_s) as sandbox:
        checker = Checker(sandbox)

        def scores(learner: Learner) -> dict[str, object]:
            return sampled_scores(learner, checker, problems, config.generation, config.evaluation, seed=1)

        learners = {name: Learner(name, local) for name in sorted({agent.backbone for agent in config.agents})}
        for name, learner in learners.items():
            learner.reset(0)
            figures["base"] |= {name: scores(learner)["scores"]["pass@1"]}  # type: ignore[operator, index]
            learner.local_update(texts_of(everything), all_data_steps, all_data_steps, seed=1)
            figures["all_data"] |= {name: scores(learner)["scores"]["pass@1"]}  # type: ignore[operator, index]
            print(name, figures["base"][name], figures["all_data"][name], flush=True)  # type: ignore[index]
        for agent in config.agents:
            learner, private = learners[agent.backbone], data.private[agent.name]
            learner.reset(1)
            learner.local_update(texts_of(private.train), steps, steps, seed=1)
            after = scores(learner)
            figures["agents"] |= {agent.name: _specialist(private.train, after)}  # type: ignore[operator]
            print(agent.name, agent.backbone, figures["agents"][agent.name], flush=True)  # type: ignore[index]
    return figures


def _specialist(train: Sequence[Problem], after: dict[str, object]) -> dict[str, object]:
    histogram = category_histogram(train)
    main = [name for name, share in zip(CATEGORIES, histogram, strict=True) if share >= MAIN] or [CATEGORIES[int(histogram.argmax())]]
    by_category: dict[str, float] = after["by_category"]  # type: ignore[assignment]
    own = float(np.mean([by_category[name] for name in main]))
    return {"private": len(train), "main": main, "own": own, "overall": after["scores"]["pass@1"]}  # type: ignore[index]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--all-data-steps", type=int, default=600)
    arguments = parser.parse_args()
    use_threads(1)
    resolved = load_config(None, seed=arguments.seed, sets=(f"evaluation.samples={arguments.samples}", "evaluation.k=[1]"))
    found = measure(resolved, arguments.split, arguments.all_data_steps)
    append(row("regime", split=arguments.split, seed=arguments.seed, samples=arguments.samples, **found))
