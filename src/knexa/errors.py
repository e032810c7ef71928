"""What can go wrong, named by whose fault it is.

Every failure that a user can act on is a :class:`KnexaError`: one sentence that says what, where and what to do.
``exit_code`` is what the command line ends with; the numbers are stable and documented in ``docs/exit-codes.md``.
"""

from __future__ import annotations


class KnexaError(Exception):
    """Base of all errors that end a command with one sentence instead of a traceback."""

    exit_code = 1


class ConfigurationError(KnexaError):
    """A key, value, path, name or range that the user gave is not one we accept; nothing has been written."""

    exit_code = 2


class ModelError(KnexaError):
    """A backbone, tokenizer or adapter cannot be loaded or used."""

    exit_code = 2


class RunFolderError(KnexaError):
    """A run folder is missing, unwritable, incomplete or belongs to another configuration."""

    exit_code = 2


class LedgerError(KnexaError):
    """A ledger, of served tickets or of what left, cannot be read or written, or does not hold together; nothing leaves without it."""

    exit_code = 2


class CredentialsError(KnexaError):
    """A key, a certificate or a folder of trusted roots on this machine is missing, damaged, expired or open to others."""

    exit_code = 2


class SandboxError(KnexaError):
    """The sandbox itself is broken or unavailable; says nothing about the program that was to run in it."""

    exit_code = 3


class PeerError(KnexaError):
    """A message from another participant breaks the protocol or its schema; the sender is at fault."""

    exit_code = 4


class Incomplete(KnexaError):  # noqa: N818 - names what happened
    """A federation has ended, and some of its participants did not: its result is no plain success."""

    exit_code = 7


class Interrupted(KnexaError):  # noqa: N818 - nobody's error: the user asked for it
    """The user stopped the run; what was done is kept and can be resumed."""

    exit_code = 130
