"""Trying every pair for real: the callback behind the oracle matchmaker, an upper bound that no deployment can reach.

Each trial is a whole exchange on copies of the agents' states. Nothing of it remains but the reward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from knexa.config import RewardConfig
from knexa.matching.match import Match
from knexa.matching.reward import raw_reward
from knexa.protocol.peer import Ask, Result, Study, Teach, Work
from knexa.simulation.engine import Engine
from knexa.simulation.loop import perform_job

Trial = Callable[[Sequence[Match]], Sequence[float]]


def trial(engine: Engine, states: Mapping[str, bytes], reward: RewardConfig) -> Trial:
    """A function from matches to the raw rewards (Eq. 3) that they would earn now; ``states`` is read at each call."""

    def results(steps: Iterable[tuple[str, Work]]) -> list[Result]:
        submitted = [engine.submit(perform_job(agent, work, states[agent], trial=True)) for agent, work in steps]
        return [one.result()[0] for one in submitted]

    def rewards(matches: Sequence[Match]) -> list[float]:
        requests = results((match.student, Ask(match)) for match in matches)
        vetted = results((match.teacher, Teach(match, request)) for match, request in zip(matches, requests, strict=True))  # type: ignore[arg-type]
        outcomes = results((match.student, Study(match, one.package)) for match, one in zip(matches, vetted, strict=True))  # type: ignore[union-attr]
        return [raw_reward(outcome, reward.gamma, reward.delta, reward.measure) for outcome in outcomes]  # type: ignore[arg-type]

    return rewards
