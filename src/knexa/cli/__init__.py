"""The command line: parse and call, nothing else."""

from __future__ import annotations

import os
import sys

from knexa.cli.app import app
from knexa.errors import KnexaError


def main() -> None:
    """Run a command; a :class:`KnexaError` ends it with one sentence on stderr and the error's exit code."""
    # A matchmaker of the user's own lies where the command is given; last, so that it can hide no installed module.
    sys.path.append(os.getcwd())
    try:
        app()
    except KnexaError as error:
        print(f"knexa: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


__all__ = ["app", "main"]
