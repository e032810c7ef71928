"""Off-policy evaluation: what another matchmaker would have chosen in the rounds of a log, and what that would have earned.

In every logged round the other matchmaker, having learned from the log so far, says how likely it would choose each exchange, π. The log
holds how likely its own matchmaker was to choose it, p, and what the chosen pairs earned, r (Eq. 3, before clipping). With K = Σ π, the
number of exchanges it would have started, the value of one exchange is estimated in each round as

    inverse propensity   Σ_chosen (π / p) r / K                            (Horvitz & Thompson 1952)
    doubly robust        [Σ_all π q + Σ_chosen (π / p)(r − q)] / K         (Dudík, Langford & Li 2011, arXiv 1103.4601)

with q a ridge regression of rewards on the logged contexts, fitted without the round that it is used in. Intervals are t intervals
over rounds. An exchange that came to nothing earned 0. One that the log does not list as a candidate has no logged context: it counts
among those that the log's matchmaker could never have made, which are refused beyond :data:`MOST_UNSUPPORTED`, and not in K.

Assumed: what an exchange earns does not depend on the other pairs of its round. Not answered: where the federation would have
gone by the other matchmaker's choices; each round is judged in the state that the log was in. How an exchange is taught
(verification, memory, curriculum) stays as it was in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError, RunFolderError
from knexa.matching import Candidate, Match
from knexa.matching.matchmakers import matchmaker_of
from knexa.matching.reward import raw_reward
from knexa.simulation.run_folder import CONFIG_FILE
from knexa.study.logged import LoggedRound, logged_rounds
from knexa.study.statistics import Interval, mean_interval, paired_interval

Array = NDArray[np.float64]

#: Fewer exchanges than this, counted by their weights, cannot carry an estimate.
LEAST_EFFECTIVE = 10.0
#: Most of the other matchmaker's choices that the log's may have had no chance of making.
MOST_UNSUPPORTED = 0.01
#: Weight of the reward model's prior, in exchanges.
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Replay:
    """Values are rewards of one exchange (Eq. 3, nats a token), means over ``rounds``.

    ``logged``: what the log's own choices earned. ``difference``: doubly robust less logged, paired by round.
    ``effective``: of the logged ``exchanges``, how many the estimates stand on, (Σw)² / Σw² with w = π / p.
    """

    matchmaker: str
    rounds: int
    exchanges: int
    effective: float
    logged: Interval
    inverse_propensity: Interval
    doubly_robust: Interval
    difference: Interval


#: An exchange within a round: teacher, student, protocol.
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Judged:
    """One round: of every candidate its ``contexts`` [n, d], ``chosen`` [n], reward [n] (0 if not chosen), p [n] and π [n].

    ``lost``: Σ π of exchanges that are no candidates of the log.
    """

    contexts: Array
    chosen: NDArray[np.bool_]
    rewards: Array
    logged: Array
    wanted: Array
    lost: float


def replay(folders: Sequence[Path], matchmaker: str, sets: Sequence[str] = ()) -> Replay:
    """Evaluate ``matchmaker`` (its settings in ``sets``, "matching.key=value") on the logs of ``folders``.

    Raises ConfigurationError for a matchmaker that cannot be built, and RunFolderError where logs are damaged or say too little.
    """
    for one in sets:
        if not one.startswith("matching."):
            raise ConfigurationError(f"--set: found {one!r}; a replay can change matching.* only: all else is as it was in the log")
    judged = [one for folder in folders for one in _judged(folder, matchmaker, sets)]
    if len({one.contexts.shape[1] for one in judged}) > 1:
        raise RunFolderError("the logs have contexts of different kinds; replay them one by one")
    weights = np.concatenate([(one.wanted / np.where(one.chosen, one.logged, 1.0))[one.chosen] for one in judged])
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    _require_overlap(judged, effective, len(weights), matchmaker)
    models = _predictions(judged)
    kept = [place for place, one in enumerate(judged) if one.wanted.sum() > 0]
    logged = [float(judged[place].rewards[judged[place].chosen].mean()) for place in kept]
    inverse = [_estimate(judged[place], np.zeros_like(models[place])) for place in kept]
    robust = [_estimate(judged[place], models[place]) for place in kept]
    return Replay(
        matchmaker=matchmaker,
        rounds=len(kept),
        exchanges=len(weights),
        effective=effective,
        logged=mean_interval(logged),
        inverse_propensity=mean_interval(inverse),
        doubly_robust=mean_interval(robust),
        difference=paired_interval(robust, logged),
    )


def _judged(folder: Path, name: str, sets: Sequence[str]) -> list[_Judged]:
    rounds = logged_rounds(folder)
    config = load_config(folder / CONFIG_FILE, sets=(f"matching.matchmaker={name}", "matching.log_candidates=true", *sets))
    other = matchmaker_of(config)
    earned = _rewards(rounds, config)
    judged = []
    for one in rounds:
        other.observe(one.profiles, one.round, one.matches)
        wanted = {_key(one): one.propensity for one in other.candidates}
        judged.append(_judgement(one, wanted, earned))
        reported = {outcome.match_id: outcome for outcome in one.outcomes}
        for match in one.matches:  # in the order in which the coordinator let its own matchmaker learn
            if match.match_id in reported:
                other.learn(reported[match.match_id])
            elif match.match_id in one.refused:
                other.drop(match.match_id)
            else:
                other.fail(match.match_id)
    return judged


def _rewards(rounds: Sequence[LoggedRound], config: FederationConfig) -> dict[str, float]:
    terms = config.reward
    return {outcome.match_id: raw_reward(outcome, terms.gamma, terms.delta, terms.measure) for one in rounds for outcome in one.outcomes}


def _judgement(one: LoggedRound, wanted: dict[_Key, float], earned: dict[str, float]) -> _Judged:
    rewards = {_key(match): earned.get(match.match_id, 0.0) for match in one.matches}
    keys = [_key(candidate) for candidate in one.candidates]
    listed = set(keys)
    return _Judged(
        contexts=np.array([candidate.context for candidate in one.candidates]),
        chosen=np.array([key in rewards for key in keys]),
        rewards=np.array([rewards.get(key, 0.0) for key in keys]),
        logged=np.array([candidate.propensity for candidate in one.candidates]),
        wanted=np.array([wanted.get(key, 0.0) for key in keys]),
        lost=sum(share for key, share in wanted.items() if key not in listed),
    )


def _key(one: Candidate | Match) -> _Key:
    return one.teacher, one.student, one.protocol


def _require_overlap(judged: Sequence[_Judged], effective: float, exchanges: int, name: str) -> None:
    total = sum(float(one.wanted.sum()) + one.lost for one in judged)
    if total == 0:
        raise RunFolderError(f"matchmaker {name!r} would have paired nobody in this log, so there is nothing to estimate")
    unsupported = sum(float(one.wanted[one.logged == 0].sum()) + one.lost for one in judged) / total
    if unsupported > MOST_UNSUPPORTED:
        raise RunFolderError(
            f"the log's matchmaker could never have made {unsupported:.0%} of the choices of {name!r}, so their rewards are unknown;"
            " replay a run whose matchmaker draws: strategy random, or matching.bandit = thompson"
        )
    if effective < LEAST_EFFECTIVE:
        raise RunFolderError(
            f"of {exchanges} logged exchanges only {effective:.1f} count for {name!r}, which chose otherwise;"
            f" {LEAST_EFFECTIVE:.0f} are needed: add logs of more seeds, or of more rounds"
        )


def _estimate(one: _Judged, q: Array) -> float:
    weights = np.divide(one.wanted, one.logged, out=np.zeros_like(one.wanted), where=one.chosen)
    return float((one.wanted @ q + weights @ (one.rewards - q)) / one.wanted.sum())


def _predictions(judged: Sequence[_Judged]) -> list[Array]:
    """q of every candidate of each round, from the other rounds' rewards."""
    predictions = []
    for left_out in judged:
        others = [one for one in judged if one is not left_out]
        if not others:
            predictions.append(np.zeros(len(left_out.rewards)))
            continue
        X = np.concatenate([one.contexts[one.chosen] for one in others])
        r = np.concatenate([one.rewards[one.chosen] for one in others])
        centre, mean = X.mean(axis=0), r.mean()
        theta = np.linalg.solve((X - centre).T @ (X - centre) + RIDGE * np.eye(X.shape[1]), (X - centre).T @ (r - mean))
        predictions.append(mean + (left_out.contexts - centre) @ theta)
    return predictions
