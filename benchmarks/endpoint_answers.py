"""Does a server of one's own (``engine.endpoint``) write what the agent itself would write, with the adapter of whoever asks?

    python benchmarks/endpoint_answers.py --backbone embedded:qwen2 --export /tmp/qwen2
    vllm serve /tmp/qwen2 --enable-lora --max-lora-rank 64 --dtype float32      # with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True
    python benchmarks/endpoint_answers.py --backbone embedded:qwen2 --endpoint http://127.0.0.1:8000/v1 --server "vLLM 0.32.0, CPU"

Two agents with adapters of their own ask in turn, and the first asks again. Greedy answers are compared to the letter, their confidences
(nats a token) by the largest difference; sampled ones are asked for twice with one seed. Appends a row to results/.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from knexa.config import LocalConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.backbone import load_backbone
from knexa.learning.endpoint import Endpoint
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of
from rows import append, row

TRAINED_ON = 100
STEPS = 40
TOKENS = 64
SAMPLES = 5


def export(backbone: str, folder: Path) -> None:
    """Write the frozen model as a server reads it."""
    loaded = load_backbone(backbone)
    frozen: Any = loaded.model
    frozen.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)


def compare(own: Learner, server: Learner, prompts: list[str], seed: int) -> dict[str, object]:
    """Figures of a row. Both learners have the same backbone; whoever asks has one of two adapters, trained on different texts."""
    texts = texts_of(load_bank().private)
    states = []
    for agent in range(2):
        own.reset(seed + agent)
        own.local_update(texts[agent * TRAINED_ON : (agent + 1) * TRAINED_ON], STEPS, STEPS, seed=seed)
        states.append(own.state())
    equal, gap, here_s, there_s = 0, 0.0, 0.0, 0.0
    for state in (*states, states[0]):
        own.load(state)
        server.load(state)
        began = time.perf_counter()
        here = own.answer(prompts, max_new_tokens=TOKENS)
        between = time.perf_counter()
        there = server.answer(prompts, max_new_tokens=TOKENS)
        here_s, there_s = here_s + between - began, there_s + time.perf_counter() - between
        alike = [(mine[0], its[0]) for mine, its in zip(here, there, strict=True) if mine[0].text == its[0].text]
        equal += len(alike)
        gap = max([gap, *(abs(mine.confidence - its.confidence) for mine, its in alike)])
    twice = [server.answer(prompts, max_new_tokens=TOKENS, temperature=0.4, samples=SAMPLES, seed=seed) for _ in range(2)]
    return {
        "answers": 3 * len(prompts),
        "equal": equal,
        "confidence_gap_nats": gap,
        "sampled_answers": SAMPLES * len(prompts),
        "sampled_equal_with_one_seed": sum(
            one == other for few, same in zip(*twice, strict=True) for one, other in zip(few, same, strict=True)
        ),
        "here_s": round(here_s, 2),
        "there_s": round(there_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="embedded:qwen2")
    parser.add_argument("--export", type=Path, help="only write the frozen model into this folder")
    parser.add_argument("--endpoint", help="base address of the server's API")
    parser.add_argument("--server", default="", help="what answers there, for the row")
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.export is not None:
        export(arguments.backbone, arguments.export)
        return
    if arguments.endpoint is None:
        parser.error("--endpoint or --export is needed")
    torch.set_num_threads(1)
    about = LocalConfig(learning_rate=3e-3, batch_size=8)
    own, server = Learner(arguments.backbone, about), Learner(arguments.backbone, about, endpoint=Endpoint(arguments.endpoint, None))
    prompts = [problem.prompt for problem in load_bank().test[::5]][: arguments.prompts]
    figures = compare(own, server, prompts, arguments.seed)
    result = row("endpoint_answers", seed=arguments.seed, backbone=arguments.backbone, server=arguments.server, **figures)
    append(result)
    print(result)


if __name__ == "__main__":
    main()
