"""Results kept by content: exact, whole or absent, bounded, and of no influence on what a run records."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knexa.baselines.tasks import Answers, Learned, Shared
from knexa.config import load_config
from knexa.events import read_events
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.matching.match import Outcome
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.simulation.federation import Federation
from knexa.simulation.job_cache import JobCache

WORKPLACE = "scored_workplace:create"
NUMBERS = (0.1, 1 / 3, 5e-324, -0.0, 1.7976931348623157e308)
PROFILE = Profile("agent-1", 1, family_block("gpt2"), (0.1,) * len(METRICS), (1 / 12,) * 12, (0.0,) * 12, (0.0,) * 12)
RESULTS = [
    {"scores": {"pass@1": 1 / 3}, "by_category": {"math": 0.1}, "loss": None, "listed": [1, 2.5, {"a": "ä"}]},
    (PROFILE, b"\x00state\n\xff"),
    (KnowledgeRequest("m-1", ("p/2", "p/1"), 4), b"state"),
    (KnowledgePackage("m-1", "a" * 64, {"p/2": "ö\n", "p/1": ""}, tensors=b"\x00\n"), b"state"),
    (Outcome("m-1", *NUMBERS, 0.0, 10, 3, 2, False), b"state"),
    (Outcome("m-1", math.inf, *NUMBERS[1:], 0.0, 10, 3, 2, True, 1), b"state"),
    (Answers((("p/1", "text", -0.25),)), b""),
    (Learned(0.5, 0.25, False), b"state"),
    (Shared(b"\x01\x02", 7), b"state"),
    (b"told", b"state"),
    (None, b"state"),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result[0] if isinstance(result, tuple) else result).__name__)
def test_what_is_kept_comes_back_exactly(result, tmp_path: Path):
    cache = JobCache(tmp_path / "cache")
    assert cache.load("a" * 64) is None
    cache.store("a" * 64, result)
    assert cache.load("a" * 64) == result
    assert repr(cache.load("a" * 64)) == repr(result)


@pytest.mark.parametrize("left", [0, 10, 70, -1], ids=["nothing", "part of the sum", "part of the content", "all but a byte"])
def test_what_a_crash_left_counts_as_nothing(left: int, tmp_path: Path):
    cache = JobCache(tmp_path)
    cache.store("a" * 64, RESULTS[1])
    whole = (tmp_path / ("a" * 64)).read_bytes()
    (tmp_path / ("a" * 64)).write_bytes(whole[:left])
    assert cache.load("a" * 64) is None
    cache.store("a" * 64, RESULTS[1])
    assert cache.load("a" * 64) == RESULTS[1]


def test_beyond_its_bound_what_was_not_used_for_longest_is_dropped(tmp_path: Path):
    cache = JobCache(tmp_path)
    for age, key in enumerate("cba"):
        cache.store(key, (None, b"x" * 600))
        os.utime(tmp_path / key, (age, age))
    assert cache.load("c") is not None  # used now: b is the oldest
    size = (tmp_path / "a").stat().st_size
    JobCache(tmp_path, most_bytes=3 * size).store("d", (None, b"x" * 600))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_writers_at_the_same_time_leave_whole_results(tmp_path: Path):
    """Many threads store and load the same few keys under a bound that drops some: each load is a whole result or none."""
    caches = [JobCache(tmp_path, most_bytes=20_000) for _ in range(4)]

    def use(number: int) -> bool:
        key, cache = str(number % 7), caches[number % 4]
        cache.store(key, (None, key.encode() * 2000))
        return cache.load(key) in (None, (None, key.encode() * 2000))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(400)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000


@pytest.mark.parametrize("strategy", ["knexa", "random", "oracle", "fedavg", "fedid", "central-kd"])
def test_a_run_records_the_same_with_without_and_from_the_cache(strategy: str, tmp_path: Path):
    """Byte for byte; from the cache, no worker does anything but begin and save."""
    config = load_config(strategy=strategy, seed=3, rounds=3, sets=["engine.kind=serial"])
    folders = {}
    for name, cache in (("without", None), ("with", tmp_path / "cache"), ("from", tmp_path / "cache")):
        folders[name] = Federation(config, workplace=WORKPLACE, cache=cache).run(tmp_path / name).folder
    events = {(folder / "events.jsonl").read_bytes() for folder in folders.values()}
    assert len(events) == 1
    saved = [sorted(path.read_bytes() for path in (folder / "agents").rglob("*.json")) for folder in folders.values()]
    assert saved[0] == saved[1] == saved[2]

    def computed(name: str) -> set[str]:
        return {row["job"] for row in read_events(folders[name], "timings.jsonl") if row["kind"] == "job" and row["worker"] is not None}

    assert computed("from") <= {"start", "transfer-set", "save"}
    assert {"train", "evaluate-start"} <= computed("without")
