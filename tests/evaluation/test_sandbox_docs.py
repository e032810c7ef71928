"""The threat statement names tests, so it can be held to them."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "sandbox.md").read_text()


def test_every_test_that_the_threat_statement_names_exists() -> None:
    """A threat whose test was renamed or removed is noticed."""
    sources = "".join(path.read_text() for path in TESTS.glob("evaluation/test_sandbox_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 15
    assert {name for name in named if f"def {name}(" not in sources} == set()
