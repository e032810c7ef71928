"""What a coordinator checks of what others give it: numbers of agents, and pairs of a matchmaker, which may be anybody's code."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from knexa.errors import ConfigurationError, PeerError
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import METRIC_BOUND


def check_outcome(sender: str, outcome: Outcome) -> None:
    """Raises PeerError for numbers that would poison the bandit, or that contradict each other."""
    losses = (outcome.loss_before, outcome.loss_after, outcome.probe_loss_before, outcome.probe_loss_after)
    if not all(math.isfinite(loss) and 0 <= loss <= METRIC_BOUND for loss in losses):
        raise PeerError(
            f"agent {sender!r}: the losses of {outcome.match_id!r} must be finite, not negative and at most {METRIC_BOUND:g}, not {losses}"
        )
    if not all(0 <= score <= 1 for score in (outcome.score_before, outcome.score_after)):
        raise PeerError(f"agent {sender!r}: the scores of {outcome.match_id!r} must be in [0, 1]")
    counts = 0 <= outcome.unverified <= outcome.kept <= outcome.texts and 0 <= outcome.refused < 2**31
    if not counts or not 0 <= outcome.bytes < 2**40:
        raise PeerError(f"agent {sender!r}: the counts of {outcome.match_id!r} contradict each other")


def check_matches(matchmaker: str, matches: Sequence[Match], present: Collection[str], round: int) -> None:
    """Raises ConfigurationError unless ``matches`` are disjoint pairs of agents in ``present``, with ids of their own."""
    busy: set[str] = set()
    for match in matches:
        peers = {match.teacher, match.student}
        if len(peers) != 2 or not all(peer in present for peer in peers) or peers & busy or match.round != round:
            raise ConfigurationError(
                f"matchmaker {matchmaker}: {match.match_id!r} in round {round} is not allowed; "
                "return disjoint pairs of two agents that reported a profile in this round"
            )
        busy |= peers
    if len({match.match_id for match in matches}) < len(matches):
        raise ConfigurationError(f"matchmaker {matchmaker}: two matches of round {round} share an id")
