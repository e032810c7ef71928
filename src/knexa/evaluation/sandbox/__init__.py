"""Running programs that nobody vouches for.

For each check, two processes are forked: the *candidate* runs the program, the *judge* runs the problem's test and calls
the program through a pipe that carries plain data only. Either is shut in. Files, from the outside in:

==================== ================================================================================================
``sandbox``          :class:`Sandbox`: what the rest of KNEXA calls; workers, pipelining, start-up self-test
``check``            :class:`Check` and :class:`Verdict`
``self_test``        the program that tries to break out before the first check may run
``backends``         bubblewrap and Landlock as command lines
``inside/server``    fork server of a worker: order, time limits
``inside/nursery``   forks candidates without ever having seen a test
``inside/candidate`` the untrusted process
``inside/judge``     the trusted one
``inside/wire``      plain data as bytes; ``inside/channel``: frames over pipes
``inside/confinement``, ``inside/seccomp``, ``inside/landlock``   what a process gives up
==================== ================================================================================================
"""

from knexa.evaluation.sandbox.check import Check, Verdict
from knexa.evaluation.sandbox.sandbox import Sandbox

__all__ = ["Check", "Sandbox", "Verdict"]
