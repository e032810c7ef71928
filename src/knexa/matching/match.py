"""The values that pass between the coordinator and the agents around one exchange.

A :class:`Match` is the coordinator's decision, an :class:`Outcome` what the student reports afterwards. Both hold numbers
and identifiers only. Design: the context that a match was chosen with stays with the coordinator (Alg. 1 updates the
bandit with the stored context, never with a profile taken after the exchange).
"""

from __future__ import annotations

from dataclasses import dataclass

#: How knowledge may travel from teacher to student; :mod:`knexa.matching.terms` says between whom.
PROTOCOLS = ("text", "logits", "adapter")


@dataclass(frozen=True, slots=True)
class Match:
    """``teacher`` teaches ``student`` in ``round``, by ``protocol`` (one of :data:`PROTOCOLS`).

    ``curriculum``: share of the prompt budget for each of the 12 categories, non-negative, sums to 1; empty = unrestricted.
    ``score``: the matchmaker's value of the exchange. ``propensity``: probability with which it was chosen, in (0, 1]. Where that is not
    worked out it is 1, whatever was drawn: of a matchmaker of the user's own, and of ``knexa`` with ``matching.log_candidates`` off or for
    more than 400 agents in blocks. Replay reads the propensities of the candidates, not these.
    """

    match_id: str
    round: int
    teacher: str
    student: str
    protocol: str = "text"
    curriculum: tuple[float, ...] = ()
    score: float = 0.0
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one exchange did to the student, measured by the student on its own machine.

    ``loss_*``: mean cross-entropy (nats a token) on the student's own validation data. ``probe_loss_*``: the same on the
    public probe. ``score_*``: share of the public probe answered right, in [0, 1]. ``bytes``: size of the package received.
    ``texts``: prompts that the package answers; of ``kept`` of them a text was kept, ``unverified`` of these for want of a test;
    ``refused`` texts the student's own filter turned down before anything was done with them.
    ``accepted``: false if the update was rolled back.
    """

    match_id: str
    loss_before: float
    loss_after: float
    probe_loss_before: float
    probe_loss_after: float
    score_before: float
    score_after: float
    bytes: int
    texts: int
    kept: int
    accepted: bool
    unverified: int = 0
    refused: int = 0
