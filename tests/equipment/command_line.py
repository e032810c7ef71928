"""Test equipment: commands, called as the console script calls them, in this process."""

from __future__ import annotations

import sys

from knexa.cli import main


def knexa(*arguments: str) -> int:
    """Exit code of ``knexa`` with these arguments."""
    before, path = sys.argv, list(sys.path)
    sys.argv = ["knexa", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv, sys.path[:] = before, path
    return 0
