"""Two organisations, each its own authority, which do not trust each other yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from identities import NOW

from knexa.service.identity import Authority


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "hospital-a-ca", "hospital-a", NOW)


@pytest.fixture
def clinic(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "hospital-b-ca", "hospital-b", NOW)
