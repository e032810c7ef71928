"""The documentation of the settings is generated, so it can be held to the code."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_documented_settings_are_the_settings() -> None:
    """docs/configuration.md is what `make docs` writes today."""
    page = runpy.run_path(str(DOCS / "configuration.py"))["page"]()
    assert (DOCS / "configuration.md").read_text() == page, "run `make docs`"
