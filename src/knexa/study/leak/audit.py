"""``knexa audit leak``: what a finished run let out of private data, told from the ledgers of its agents and from their final adapters.

Three questions, each at one hop (agents that the owner has taught, and what it sent them) and at two (whom those have taught afterwards):

- *Canaries*: do planted secrets stand in texts that left, and how far above chance do models rank them (exposure, Carlini et al. 2019)?
- *Overlap*: how many private texts have a run of tokens in common with a text that left, that public data do not have?
- *Membership*: can somebody who holds the texts that left, or a model that learned from them, tell what the owner trained on from what it
  held out?

A figure near chance says that these attacks found nothing, not that no attack can.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knexa.errors import RunFolderError
from knexa.evaluation.canaries import Canary, draw_phrase
from knexa.evaluation.problems import Problem
from knexa.exchange.ledger import LEFT, Entry, verified
from knexa.participant.data import PrivateData
from knexa.participant.workplace import LearningWorkplace
from knexa.randomness import stream
from knexa.record import RunRecord, read_run
from knexa.simulation.ledgers import ledger_of
from knexa.simulation.run_folder import read_config
from knexa.study.leak.hops import reaches
from knexa.study.leak.membership import Likeness, auc_interval
from knexa.study.leak.overlap import OwnRuns
from knexa.study.statistics import Interval, proportion_interval

#: Phrases that a canary's is ranked among, itself counted: the exposure ends at the binary logarithm of so many.
CANDIDATES = 256
#: Private texts of an agent whose losses are looked at, members and non-members each.
MOST_TEXTS = 60
#: Lengths of runs that are looked for: short ones are idioms as often as copies.
RUNS = (12, 24, 50)
HOPS = ("owner", "one hop", "two hops")


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """Canaries that stand ``repeats`` times in private data. ``verbatim``: of ``chances`` to stand in what others hold, so many did.

    ``exposure``: bits, by hop: of the owner's model, of those it taught, of those they taught; None where there is no such model.
    """

    repeats: int
    canaries: int
    verbatim: Mapping[str, tuple[int, int]]
    exposure: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """Of ``texts`` that left, so many hold ``length`` tokens in a row of private data that no public text holds.

    Of whose data: their teacher's (one hop), its teacher's (two).
    """

    length: int
    hop: str
    texts: int
    holding: int
    share: Interval


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """``attack``: ``texts`` (likeness to what left) or ``loss`` (of a model).

    ``auc``: mean over the agents of whom there is something to attack; None if there is nothing at all.
    """

    attack: str
    hop: str
    auc: Interval | None


@dataclass(frozen=True, slots=True)
class LeakReport:
    """All figures of one run. ``left``: texts that left, ``withheld``: texts that the guardrails kept back."""

    folder: Path
    agents: int
    left: int
    withheld: int
    canaries: tuple[CanaryRow, ...]
    overlap: tuple[OverlapRow, ...]
    membership: tuple[MembershipRow, ...]


def audit_leak(folder: Path, tell: Callable[[str], None] = lambda line: None) -> LeakReport:
    """Read a finished run and attack it. ``tell`` hears what is being done. Raises RunFolderError for a run without an end."""
    record = read_run(folder)
    if not record.finished:
        raise RunFolderError(
            f"{folder}: the run has not come to its end, so it has no final adapters; go on with knexa run --resume {folder}"
        )
    with LearningWorkplace(read_config(folder)) as place:
        return _Audit(record, place, tell).report()


class _Audit:
    def __init__(self, record: RunRecord, place: LearningWorkplace, tell: Callable[[str], None]) -> None:
        self._record, self._place, self._tell = record, place, tell
        self._private = {agent: place.data.private[agent] for agent in record.agents}
        self._entries = {agent: _entries(record.folder, agent) for agent in record.agents}
        self._reach = reaches(record.agents, record.exchanges)
        self._rng = stream(record.seed, "audit")

    def report(self) -> LeakReport:
        everything = [entry for entries in self._entries.values() for entry in entries]
        left = sum(entry.what == LEFT for entry in everything)
        return LeakReport(
            self._record.folder,
            len(self._record.agents),
            left,
            sum(entry.what in ("quarantined", "blocked") for entry in everything),
            tuple(self._canaries()),
            tuple(row for length in RUNS for row in self._overlap(length)),
            tuple(self._membership()),
        )

    # --- what left

    def _sent(self, owner: str, hop: str) -> list[str]:
        """Texts in which something of ``owner`` could stand: what it sent, or what its students sent to others once they had learned."""
        if hop == "one hop":
            return _texts(self._entries[owner])
        since = self._reach[owner].relayed
        return [text for student, first in since.items() for text in _texts(self._entries[student], first, owner)]

    def _canaries(self) -> list[CanaryRow]:
        self._tell("canaries")
        by_repeats: dict[int, list[tuple[str, Canary]]] = {}
        for agent, data in self._private.items():
            for canary in data.canaries:
                by_repeats.setdefault(canary.repeats, []).append((agent, canary))
        sent = {hop: {agent: "\n".join(self._sent(agent, hop)) for agent in self._private} for hop in HOPS[1:]}
        exposures = self._exposures()
        rows = []
        for repeats, planted in sorted(by_repeats.items()):
            verbatim = {hop: (sum(one.phrase in sent[hop][agent] for agent, one in planted), len(planted)) for hop in sent}
            bits = {hop: [value for agent, one in planted for value in exposures[agent, one.phrase].get(hop, ())] for hop in HOPS}
            known = {hop: self._mean(values) for hop, values in bits.items()}
            rows.append(CanaryRow(repeats, len(planted), verbatim, known))
        return rows

    def _mean(self, values: Sequence[float]) -> Interval | None:
        """With its percentile interval under drawing again."""
        if not values:
            return None
        drawn = self._rng.choice(np.asarray(values), (2000, len(values))).mean(axis=1)
        return Interval(float(np.mean(values)), float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975)), len(values))

    def _overlap(self, length: int) -> list[OverlapRow]:
        self._tell(f"runs of {length} tokens")
        public = [text for problem in self._place.data.transfer_set.problems.values() for text in (problem.prompt, problem.test)]
        counts = dict.fromkeys(HOPS[1:], (0, 0))
        for agent, data in self._private.items():
            own = OwnRuns([text for one in data.train for text in (one.prompt, one.solution)], public, length)
            for hop in counts:
                texts = self._sent(agent, hop)
                counts[hop] = (counts[hop][0] + len(texts), counts[hop][1] + sum(map(own.held_by, texts)))
        return [
            OverlapRow(length, hop, texts, holding, proportion_interval(holding, texts))
            for hop, (texts, holding) in counts.items()
            if texts
        ]

    # --- what models know

    def _membership(self) -> list[MembershipRow]:
        self._tell("membership, from the texts that left")
        chosen = {agent: self._chosen(agent, data) for agent, data in self._private.items()}
        rows = []
        for hop in HOPS[1:]:
            scores: tuple[list[list[float]], list[list[float]]] = ([], [])
            for agent, (members, others) in chosen.items():
                sent = self._sent(agent, hop)
                if not any(sent):
                    continue  # nothing can be told from nothing, which is not the same as chance
                like = Likeness(sent)
                for score, problems in zip(scores, (members, others), strict=True):
                    score.append([like(one.solution) for one in problems])
            rows.append(MembershipRow("texts", hop, self._auc(*scores)))
        losses = self._losses(chosen)
        for hop in HOPS:
            told = [(losses[agent, model], agent) for agent in self._private for model in self._models(agent, hop)]
            low_in = [[-one for one in found[: len(chosen[agent][0])]] for found, agent in told]
            low_out = [[-one for one in found[len(chosen[agent][0]) :]] for found, agent in told]
            rows.append(MembershipRow("loss", hop, self._auc(low_in, low_out)))
        return rows

    def _auc(self, members: list[list[float]], others: list[list[float]]) -> Interval | None:
        if not any(a and b for a, b in zip(members, others, strict=True)):
            return None
        return auc_interval(members, others, self._rng)

    def _chosen(self, agent: str, data: PrivateData) -> tuple[list[Problem], list[Problem]]:
        """Members and non-members of the same data: what was trained on, canaries aside, and what was held out of it."""
        real = [one for one in data.train if not one.task_id.startswith("canary/")]
        few = [real[index] for index in stream(self._record.seed, "audit", agent).permutation(len(real))[:MOST_TEXTS]]
        return few, list(data.validation[:MOST_TEXTS])

    def _models(self, owner: str, hop: str) -> list[str]:
        reach = self._reach[owner]
        return sorted({"owner": {owner}, "one hop": reach.students, "two hops": reach.further - reach.students}[hop])

    def _losses(self, chosen: Mapping[str, tuple[list[Problem], list[Problem]]]) -> dict[tuple[str, str], list[float]]:
        """By owner and model: the loss of each of the owner's chosen texts, members first."""
        wanted = [(agent, model) for agent in chosen for hop in HOPS for model in self._models(agent, hop)]
        found = {}
        for model in sorted({model for _, model in wanted}):
            self._tell(f"membership, from the losses of {model}")
            loss = self._place.final_losses(model, self._record.folder)
            for owner in [owner for owner, one in wanted if one == model]:
                texts = [(one.prompt, one.solution) for problems in chosen[owner] for one in problems]
                found[owner, model] = loss(texts)
        return found

    def _exposures(self) -> dict[tuple[str, str], dict[str, list[float]]]:
        """By owner and phrase, and by hop: exposure in each model there."""
        found: dict[tuple[str, str], dict[str, list[float]]] = {
            (agent, canary.phrase): {} for agent, data in self._private.items() for canary in data.canaries
        }
        owners = [agent for agent, data in self._private.items() if data.canaries]
        wanted = [(owner, hop, model) for owner in owners for hop in HOPS for model in self._models(owner, hop)]
        for model in sorted({model for _, _, model in wanted}):
            self._tell(f"canaries in the model of {model}")
            loss = self._place.final_losses(model, self._record.folder)
            for owner, hop in [(owner, hop) for owner, hop, one in wanted if one == model]:
                for canary in self._private[owner].canaries:
                    found[owner, canary.phrase].setdefault(hop, []).append(exposure(canary, loss, self._record.seed))
        return found


def exposure(canary: Canary, loss: Callable[[Sequence[tuple[str, str]]], list[float]], seed: int) -> float:
    """log2(candidates) - log2(rank): 0 bits if the model prefers all others, log2(:data:`CANDIDATES`) if it prefers the canary."""
    rng = stream(seed, "candidates", canary.phrase)
    candidates = [canary.phrase, *(draw_phrase(rng) for _ in range(CANDIDATES - 1))]
    own, *others = loss([canary.with_phrase(phrase) for phrase in candidates])
    rank = 1 + sum(other <= own for other in others)
    return math.log2(CANDIDATES) - math.log2(rank)


def _entries(folder: Path, agent: str) -> list[Entry]:
    path = ledger_of(folder, agent)
    return list(verified(path)) if path.is_file() else []


def _texts(entries: Sequence[Entry], first_round: int = 0, but: str = "") -> list[str]:
    """Texts that left from ``first_round`` on, to anybody else than ``but``."""
    return [one.text for one in entries if one.what == LEFT and one.text is not None and one.round >= first_round and one.student != but]
