"""An agent's work in one round: train, ask, teach, study; each gives what the protocol sends on.

Reads nothing but its arguments, draws nothing but named streams: the shell that calls it decides where and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from knexa.config import AgentConfig, FederationConfig
from knexa.errors import PeerError
from knexa.evaluation.partition import category_histogram
from knexa.evaluation.problems import Problem
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.transfer_set import TransferSet
from knexa.learning.distillation import alpha_at, alpha_by_need
from knexa.learning.encoding import Example
from knexa.learning.generation import Completion
from knexa.learning.learner import Learner, Text
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.participant.data import PrivateData
from knexa.participant.measure import Checker, ability, answered, solved, texts_of, validation_metrics
from knexa.participant.selection import chosen, remember
from knexa.participant.state import AgentState
from knexa.protocol.peer import Ask, Study, Teach, Train
from knexa.randomness import derive_seed, stream

#: What a lazy teacher answers to every prompt: it compiles, and it helps nobody.
LAZY_ANSWER = "    pass\n"
#: The blocks of a profile that are ours, where they are switched off.
BLOCK_OFF = (0.0,) * 12


@dataclass(frozen=True, slots=True)
class Participant:
    """One agent at work. ``learner`` has the agent's adapter loaded; ``state`` is changed in place, all but its tensors."""

    about: AgentConfig
    config: FederationConfig
    private: PrivateData
    transfer_set: TransferSet
    probe: tuple[Problem, ...]
    learner: Learner
    checker: Checker
    state: AgentState

    def train(self, work: Train) -> Profile:
        """Phase 1: local update on private data, then the profile."""
        local = self.config.local
        steps = local.first_steps if work.round == 1 else local.steps
        planned = local.first_steps + local.steps * (self.config.rounds - 1)
        if self.about.behaviour == "weak" or steps == 0:
            train_loss = self.state.metrics.get("train_loss", 0.0)
        else:
            train_loss = self.learner.local_update(texts_of(self.private.train), steps, planned, self.seed(work.round, "train"))
        return self._profile(work.round, train_loss)

    def ask(self, work: Ask) -> KnowledgeRequest:
        """Student: name the prompts that the match's curriculum and the own memory leave open."""
        match, budget = work.match, self.config.distillation.prompts
        rng = stream(self.config.seed, self.about.name, match.round, "ask")
        prompts = budget // self.config.distillation.candidates_by(match.protocol)
        strictly = self.config.matching.only_better
        ids = self.transfer_set.draw(prompts, list(self.state.memory), match.curriculum, rng, strictly=strictly)
        return KnowledgeRequest(match.match_id, tuple(ids), budget)

    def teach(self, work: Teach) -> KnowledgePackage:
        """Teacher: answer the prompts asked for, most confident answers first; or give the adapter, where that is the protocol."""
        match, digest = work.match, self.transfer_set.digest
        if match.protocol == "adapter":
            return KnowledgePackage(match.match_id, digest, {}, tensors=self.learner.adapter_bytes())
        count = self.config.distillation.candidates_by(match.protocol)
        asked = [key for key in work.request.prompt_ids if key in self.transfer_set.problems][: work.request.budget // count]
        texts: dict[str, list[str]] = {}
        for key, answer in self.answers(asked, match.round, count):
            texts.setdefault(key, []).append(answer.text)
        first = {key: few[0] for key, few in texts.items()}
        if match.protocol == "text":
            return KnowledgePackage(match.match_id, digest, first, others={key: tuple(few[1:]) for key, few in texts.items() if few[1:]})
        logits = self.learner.logits(self._with_prompts(first), self.config.distillation.top_logits)
        return KnowledgePackage(match.match_id, digest, first, tensors=logits)

    def answers(self, ids: Sequence[str], round: int, count: int = 1) -> list[tuple[str, Completion]]:
        """``count`` answers to each of these prompts of the transfer set, each with the prompt's id, the most confident first.

        Equal answers to a prompt are one. A lazy agent gives one, as sure as can be of what it has not thought about.
        """
        if self.about.behaviour == "lazy":
            return [(key, Completion(LAZY_ANSWER, 0.0)) for key in ids]
        generation = self.config.generation
        problems = [self.transfer_set.problems[key] for key in ids]
        write = partial(answered, self.learner, problems, max_new_tokens=generation.max_new_tokens)
        rounds = [write(temperature=generation.teaching_temperature, seed=self.seed(round, "teach"))]
        if count > 1:
            warmer = generation.candidate_temperature
            rounds.append(write(temperature=warmer, samples=count - 1, seed=self.seed(round, "candidates")))
        different = {(key, one.text): one for answers in reversed(rounds) for key, few in zip(ids, answers, strict=True) for one in few}
        return sorted(((key, one) for (key, _), one in different.items()), key=lambda pair: (-pair[1].confidence, pair[0]))

    def study(self, work: Study) -> Outcome:
        """Student, phase 3: keep what :mod:`knexa.participant.selection` chooses, distil it with the memory, accept or roll back.

        Tensors that cannot be used are the teacher's fault: the exchange is not accepted, and the student is as before.
        """
        before, memory, votes = self.learner.state(), dict(self.state.memory), dict(self.state.votes)
        loss_before, probe_before = self._losses()
        config, problems = self.config.distillation, self.transfer_set.problems
        kept = chosen(work.package, problems, self.checker, config)
        if config.memory:
            remember(self.state, work.match.teacher, kept, problems, config)
        taught = self.state.memory if config.memory else kept
        usable = self._learn(work, kept, taught)
        loss_after, probe_after = self._losses()
        score_after = float(solved(self.learner, self.checker, self.probe, self.config.generation)[0].mean())
        accepted = usable and self.acceptable(loss_before, loss_after)
        if not accepted:
            self.learner.load(before)
            self.state.memory, self.state.votes = memory, votes
        return Outcome(
            match_id=work.match.match_id,
            loss_before=loss_before,
            loss_after=loss_after,
            probe_loss_before=probe_before,
            probe_loss_after=probe_after,
            score_before=self.state.probe_score,
            score_after=score_after,
            bytes=len(work.package.to_bytes()),
            texts=len(work.package.texts),
            kept=len(kept),
            unverified=sum(not self.transfer_set.problems[key].runnable for key in kept),
            accepted=accepted,
        )

    def alpha(self, match: Match, taught: int) -> float:
        """The weight of Eq. 2 in an exchange after which there are ``taught`` texts to distil; an adapter is merged by the schedule."""
        config = self.config.distillation
        if config.alpha == "need" and match.protocol != "adapter":
            return alpha_by_need(taught, len(self.transfer_set.problems), config.alpha_start, config.alpha_end)
        return alpha_at(match.round, self.config.rounds, config.alpha_start, config.alpha_end)

    def acceptable(self, loss_before: float, loss_after: float) -> bool:
        """Whether what was learned between these two validation losses stays."""
        bound = self.config.distillation.rollback
        return bound is None or loss_after <= loss_before + bound

    def _learn(self, work: Study, kept: dict[str, str], taught: dict[str, str]) -> bool:
        """Eq. 2 on ``taught``, after merging the teacher's adapter or with its logits on ``kept``; whether its tensors could be used."""
        config, match, package = self.config.distillation, work.match, work.package
        alpha = self.alpha(match, len(taught))
        logits: dict[Text, Example] = {}
        try:
            if match.protocol == "adapter":
                self.learner.merge(package.tensors, alpha)
            elif match.protocol == "logits":
                said = self.learner.softened(self._with_prompts(package.texts), package.tensors)
                logits = {text: said[text] for text in self._with_prompts(kept)}
        except PeerError:
            return False
        texts = self._with_prompts(taught)
        self.learner.distil(texts_of(self.private.train), texts, alpha, config, self.seed(match.round, "study"), logits=logits)
        return True

    def _with_prompts(self, texts: dict[str, str]) -> list[Text]:
        return [(self.transfer_set.problems[key].prompt, text) for key, text in texts.items() if key in self.transfer_set.problems]

    def _losses(self) -> tuple[float, float]:
        return self.learner.loss(texts_of(self.private.validation)), self.learner.loss(texts_of(self.probe))

    def _profile(self, round: int, train_loss: float) -> Profile:
        validation = self.private.validation
        # One batch for both: a short batch costs nearly as many decoding steps as a long one.
        passed, answers = solved(self.learner, self.checker, (*validation, *self.probe), self.config.generation)
        own = len(validation)
        loss, passes = self.learner.loss(texts_of(validation)), passed[own:]
        metrics = validation_metrics(validation, passed[:own], answers[:own], loss, train_loss)
        last = self.state.metrics or metrics
        changes = {f"{name}_change": value - last[name] for name, value in metrics.items()}
        self.state.metrics, self.state.probe_score = metrics, float(passes.mean())
        shown = self.config.matching.probe
        return Profile(
            agent=self.about.name,
            round=round,
            family=family_block(self.learner.family),
            metrics=tuple(float({**metrics, **changes}[name]) for name in METRICS),
            histogram=tuple(map(float, category_histogram(self.private.train, self.transfer_set.categories))),
            probe=tuple(map(float, ability(self.learner, self.probe, passes, self.transfer_set.categories))) if shown else BLOCK_OFF,
            coverage=tuple(map(float, self.transfer_set.coverage(list(self.state.memory)))) if shown else BLOCK_OFF,
        )

    def seed(self, round: int, purpose: str) -> int:
        return derive_seed(self.config.seed, self.about.name, round, purpose)
