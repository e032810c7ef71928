"""The example of docs/your-data.md is one that works."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from knexa.config import load_config
from knexa.participant.data import federation_data

EXAMPLE = Path(__file__).parents[1] / "examples" / "own-data"


def test_the_example_gives_every_organisation_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script writes what the configuration names; nothing is left out, and nobody holds a kind of another."""
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLE / "make.py"), run_name="__main__")
    data = federation_data(load_config(EXAMPLE / "federation.toml"))
    kinds = [{problem.category for problem in private.train} for private in data.private.values()]
    assert [len(one) for one in kinds] == [5, 4, 3]
    assert set().union(*kinds) == set(data.categories)
    assert [private.notes for private in data.private.values()] == [(), (), ()]
    assert data.notes == ()
    assert min(len(private.train) for private in data.private.values()) > 150
