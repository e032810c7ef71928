"""Test equipment: the simulator's arithmetic workplace with all fields of an evaluation, as reports and comparisons read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from arithmetic_workplace import ArithmeticWorkplace

from knexa.config import FederationConfig
from knexa.evaluation.problems import CATEGORIES
from knexa.exchange.vetting import VettedPackage
from knexa.protocol.peer import Result, Study, Work


class ScoredWorkplace(ArithmeticWorkplace):
    """Pass@k, CodeBLEU and loss are functions of the mean competence."""

    def evaluate(self, agent: str, state: bytes, stage: str, round: int) -> dict[str, Any]:
        fields = super().evaluate(agent, state, stage, round)
        first = fields["scores"]["pass@1"]
        scores = {"pass@1": first, "pass@5": 1 - (1 - first) ** 5, "pass@10": 1 - (1 - first) ** 10, "codebleu": 0.3 + first / 2}
        rest = {"problems": 12, "samples": 10, "loss": 2 - first, "perplexity": 7.0, "texts_kept": 0, "cut": 0, "correct": [5] * 12}
        return {**fields, **rest, "scores": scores, "by_category": dict.fromkeys(CATEGORIES, first)}


def create(config: FederationConfig) -> ScoredWorkplace:
    return ScoredWorkplace(config)


class OtherStart(ScoredWorkplace):
    """Starts from other bytes where the strategy is not random: what a comparison has to notice."""

    def start(self, agent: str) -> bytes:
        return super().start(agent if self.config.strategy == "random" else agent + "-other")


def create_other_start(config: FederationConfig) -> OtherStart:
    return OtherStart(config)


#: Stands in every text that a teacher writes in a :class:`MarkedWorkplace`. Never as a whole in a file: what is searched for it may be one.
MARKER = "-".join(("nobody", "but", "two", "agents", "sees", "this"))


class MarkedWorkplace(ScoredWorkplace):
    """Texts carry the marker; a student writes it beside its adapter if every text that it studied had it."""

    def __init__(self, config: FederationConfig) -> None:
        super().__init__(config)
        self.seen: set[bool] = set()

    def _do(self, agent: str, work: Work, able: list[float], round: int) -> tuple[Result, list[float]]:
        if isinstance(work, Study):
            self.seen |= {text.endswith(MARKER) for text in work.package.texts.values()}
            plain = {prompt: text.removesuffix(MARKER) for prompt, text in work.package.texts.items()}
            work = replace(work, package=replace(work.package, texts=plain))
        result, able = super()._do(agent, work, able, round)
        if isinstance(result, VettedPackage):
            package = replace(result.package, texts={prompt: text + MARKER for prompt, text in result.package.texts.items()})
            marked = [replace(one, reviewed=replace(one.reviewed, text=f"{one.reviewed.text}{MARKER}")) for one in result.answers]
            result = VettedPackage(package, tuple(marked))
        return result, able

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        super().save(agent, state, folder)
        if self.seen == {True}:
            (folder / "marker").write_text(MARKER)


def create_marked(config: FederationConfig) -> MarkedWorkplace:
    return MarkedWorkplace(config)


def holds(pid: int, needle: bytes) -> bool:
    """Whether the memory of a process holds ``needle`` now (Linux)."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, modes = line.split()[:2]
            begin, end = (int(at, 16) for at in span.split("-"))
            if modes.startswith("rw"):
                try:
                    memory.seek(begin)
                    if needle in memory.read(end - begin):
                        return True
                except OSError:
                    continue  # the mapping has gone meanwhile
    return False
