"""Test equipment: a run folder as a simulation writes it, from formulas instead of models; for report, summary and study.

``python tests/equipment/synthetic_run.py OUT [STRATEGY [SEED [PRESET]]]`` writes one to look at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from knexa.config import FederationConfig, load_config, to_toml
from knexa.evaluation.problems import CATEGORIES
from knexa.events import EventLog, encode
from knexa.matching.match import Match, Outcome
from knexa.randomness import stream

#: How much a round of teaching helps, so that strategies differ.
GAIN = {"local": 0.004, "random": 0.012, "heuristic": 0.013, "knexa": 0.025}


def write_run(
    folder: Path, *, strategy: str = "knexa", seed: int = 0, preset: str = "quickstart", rounds: int = 6, until: str = "end"
) -> Path:
    """Write a run folder and return it. ``until``: "header", "rounds" (killed before the end) or "end"."""
    config = load_config(preset=preset, strategy=strategy, seed=seed, rounds=rounds)
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(to_toml(config))
    log = EventLog(folder / "events.jsonl")
    header = json.loads(config.model_dump_json(exclude={"engine"}))
    agents = [agent.name for agent in config.agents]
    log.append("header", schema=1, version="0.1.0", config=header, agents=agents, start_hash=f"{seed:064x}")
    with (folder / "timings.jsonl").open("wb") as timings:
        if until != "header":
            _run(config, log, timings.write)
        if until == "end":
            for name in agents:
                _evaluate(config, log, name, "end", config.rounds)
            log.append(
                "end", reason="finished", participants={name: {"rounds": rounds, "missed": 0, "taught": 2, "studied": 3} for name in agents}
            )
            timings.write(encode({"kind": "total", "seconds": 61.5 + seed, "peak_rss_mb": 1234.5}))
    log.close()
    return folder


def _run(config: FederationConfig, log: EventLog, write: object) -> None:
    assert callable(write)
    agents = [agent.name for agent in config.agents]
    for name in agents:
        _evaluate(config, log, name, "start", 0)
    for round in range(1, config.rounds + 1):
        matches = _matches(config, agents, round)
        log.append("match", round=round, matches=[_fields(match) for match in matches])
        for number, match in enumerate(matches):
            if round == 2 and number == 0:
                log.append(
                    "fault", round=round, agent=match.student, what=f"exchange {match.match_id} failed: teacher did not answer in time"
                )
            else:
                _exchange(config, log, match)
            for what, seconds in (("teach", 0.8), ("study", 1.4)):
                write(
                    encode({"kind": "job", "job": what, "agent": match.student, "round": round, "seconds": seconds, "worker": number % 2})
                )
        for number, name in enumerate(agents):
            _evaluate(config, log, name, "round", round)
            write(
                encode({"kind": "job", "job": "train", "agent": name, "round": round, "seconds": 1.1 + 0.2 * number, "worker": number % 2})
            )
            write(encode({"kind": "job", "job": "evaluate", "agent": name, "round": round, "seconds": 0.6, "worker": number % 2}))
        log.append("update", round=round, digest=f"{round:064x}")


def _matches(config: FederationConfig, agents: list[str], round: int) -> list[Match]:
    if config.matching.matchmaker == "local":
        return []
    order = stream(config.seed, config.strategy, "pairs", round).permutation(len(agents))
    pairs = [(agents[a], agents[b]) for a, b in zip(order[::2], order[1::2], strict=False)]
    return [Match(f"r{round}-{teacher}-{student}", round, teacher, student, score=0.3) for teacher, student in pairs]


def _exchange(config: FederationConfig, log: EventLog, match: Match) -> None:
    random = stream(config.seed, config.strategy, match.match_id)
    drop, kept = float(random.normal(0.08 + 0.02 * match.round, 0.06)), int(random.integers(5, 30))
    outcome = Outcome(match.match_id, 1.2, 1.2 - drop, 1.4, 1.4 - drop, 0.2, 0.25, int(random.integers(2000, 5000)), 32, kept, drop > -0.02)
    log.append("outcome", round=match.round, teacher=match.teacher, student=match.student, **_fields(outcome))
    log.append("reward", round=match.round, match_id=match.match_id, raw=drop - 0.004, clipped=drop - 0.004, z=drop)


def _evaluate(config: FederationConfig, log: EventLog, agent: str, stage: str, round: int) -> None:
    index = [one.name for one in config.agents].index(agent)
    noise = stream(config.seed, config.strategy, agent, stage, round).normal(0, 0.01, 13)
    strength = 0.08 + 0.015 * index + GAIN.get(config.strategy, 0.02) * round
    private = np.exp(-0.5 * ((np.arange(12) - 2 * index) / 2.0) ** 2) * 0.5
    by_category = np.clip(private + strength + noise[:12], 0, 1)
    first = float(np.clip(strength + noise[12], 0, 1))
    scores = {"pass@1": first}
    if stage != "round":
        scores |= {"pass@5": min(1.0, 2.1 * first), "pass@10": min(1.0, 2.6 * first), "codebleu": 0.3 + 0.5 * first}
    log.append(
        "evaluation",
        agent=agent,
        round=round,
        stage=stage,
        split="validation" if stage == "round" else "test",
        problems=40 if stage == "round" else 120,
        samples=1 if stage == "round" else 10,
        scores=scores,
        loss=1.6 - first,
        perplexity=float(np.exp(1.6 - first)),
        by_category=dict(zip(CATEGORIES, map(float, by_category), strict=True)),
        texts_kept=4 * round,
        cut=0,
        correct=[],
    )


def _fields(value: Match | Outcome) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}


if __name__ == "__main__":
    out, strategy, seed, preset = [*sys.argv[1:], *["knexa", "0", "quickstart"][len(sys.argv) - 2 :]]
    write_run(Path(out), strategy=strategy, seed=int(seed), preset=preset)
