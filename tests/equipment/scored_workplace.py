"""Test equipment: the simulator's arithmetic workplace with all fields of an evaluation, as reports and comparisons read them."""

from __future__ import annotations

from typing import Any

from arithmetic_workplace import ArithmeticWorkplace

from knexa.config import FederationConfig
from knexa.evaluation.problems import CATEGORIES


class ScoredWorkplace(ArithmeticWorkplace):
    """Pass@k and loss are functions of the mean competence."""

    def evaluate(self, agent: str, state: bytes, stage: str, round: int) -> dict[str, Any]:
        fields = super().evaluate(agent, state, stage, round)
        first = fields["scores"]["pass@1"]
        scores = {"pass@1": first, "pass@5": 1 - (1 - first) ** 5, "pass@10": 1 - (1 - first) ** 10}
        rest = {"problems": 12, "samples": 10, "loss": 2 - first, "perplexity": 7.0, "texts_kept": 0}
        return {**fields, **rest, "scores": scores, "by_category": dict.fromkeys(CATEGORIES, first)}


def create(config: FederationConfig) -> ScoredWorkplace:
    return ScoredWorkplace(config)


class OtherStart(ScoredWorkplace):
    """Starts from other bytes where the strategy is not random: what a comparison has to notice."""

    def start(self, agent: str) -> bytes:
        return super().start(agent if self.config.strategy == "random" else agent + "-other")


def create_other_start(config: FederationConfig) -> OtherStart:
    return OtherStart(config)
