"""An agent's work in one round: train, ask, teach, study; each gives what the protocol sends on.

Reads nothing but its arguments, draws nothing but named streams: the shell that calls it decides where and when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from knexa.config import AgentConfig, FaultConfig, FederationConfig
from knexa.errors import PeerError
from knexa.evaluation.partition import category_histogram
from knexa.evaluation.problems import Problem, slots
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.transfer_set import TransferSet
from knexa.exchange.vetting import VettedAnswer, VettedPackage
from knexa.learning.distillation import alpha_at, alpha_by_need
from knexa.learning.encoding import Example
from knexa.learning.generation import Completion
from knexa.learning.learner import Learner, Text
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.participant.data import PrivateData
from knexa.participant.faults import LAZY_ANSWER, backdoored, boasted, copied, faults_of, lied_about, poisoned
from knexa.participant.gate import Gate, unvetted
from knexa.participant.measure import Checker, ability, answered, solved, texts_of, validation_metrics
from knexa.participant.private_profile import budgets, private_histogram, private_metrics, randomness_of, released_now, sampling_rate
from knexa.participant.selection import chosen, remember
from knexa.participant.state import AgentState
from knexa.protocol.peer import Ask, Study, Teach, Train
from knexa.randomness import derive_seed, stream

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
    gate: Gate
    state: AgentState

    def train(self, work: Train) -> Profile:
        """Phase 1: local update on private data, then the profile."""
        local = self.config.local
        steps = local.first_steps if work.round == 1 else local.steps
        planned = local.first_steps + local.steps * (self.config.rounds - 1)
        faults = faults_of(self.config, self.about.name, work.round)
        if faults.keys() & {"weak", "copycat"} or steps == 0:
            train_loss = self.state.metrics.get("train_loss", 0.0)
        else:
            train_loss = self._local_update(steps, planned, work.round)
        profile = self._profile(work.round, train_loss)
        return boasted(profile) if "lying" in faults else profile

    def _local_update(self, steps: int, planned: int, round: int) -> float:
        texts, privacy = texts_of(self.private.train), self.config.privacy
        if not privacy.sgd_noise:
            return self.learner.local_update(texts, steps, planned, self.seed(round, "train"))
        rng = np.random.default_rng(None if privacy.noise == "system" else self.seed(round, "dp-sgd"))
        rate = sampling_rate(self.config, len(texts))
        return self.learner.private_update(texts, steps, planned, rng, rate=rate, clip=privacy.sgd_clip, noise=privacy.sgd_noise)

    def ask(self, work: Ask) -> KnowledgeRequest:
        """Student: name the prompts that the match's curriculum and the own memory leave open."""
        match, budget = work.match, self.config.distillation.prompts
        rng = stream(self.config.seed, self.about.name, match.round, "ask")
        prompts = budget // self.config.distillation.candidates_by(match.protocol)
        strictly = self.config.matching.only_better
        ids = self.transfer_set.draw(prompts, list(self.state.memory), match.curriculum, rng, strictly=strictly)
        return KnowledgeRequest(match.match_id, tuple(ids), budget)

    def teach(self, work: Teach) -> VettedPackage:
        """Teacher: answer the prompts asked for, most confident answers first, as far as the own guardrail lets them go.

        Where the protocol is ``adapter``, it is the adapter that goes, and no guardrail looks into that.
        """
        match = work.match
        if match.protocol == "adapter":
            adapter = self.learner.adapter_bytes()
            return VettedPackage(KnowledgePackage(match.match_id, self.transfer_set.digest, {}, tensors=adapter))
        count = self.config.distillation.candidates_by(match.protocol)
        asked = [key for key in work.request.prompt_ids if key in self.transfer_set.problems][: work.request.budget // count]
        answers = [(key, answer.text) for key, answer in self.answers(asked, match.round, count)]
        hostile = faults_of(self.config, self.about.name, match.round).keys() & {"poisoned", "backdoored"}
        vetted = unvetted(answers) if hostile else self.gate.vet(answers)
        package = self._package(match.match_id, vetted)
        if match.protocol == "logits":
            logits = self.learner.logits(self._with_prompts(package.texts), self.config.distillation.top_logits)
            package = replace(package, tensors=logits)
        return VettedPackage(package, vetted)

    def _package(self, match_id: str, vetted: Sequence[VettedAnswer]) -> KnowledgePackage:
        """Those of ``vetted`` that may leave, in their order."""
        texts: dict[str, list[str]] = {}
        for one in vetted:
            if one.reviewed.text is not None:
                texts.setdefault(one.prompt, []).append(one.reviewed.text)
        others = {key: tuple(few[1:]) for key, few in texts.items() if few[1:]}
        withheld = sum(one.reviewed.text is None for one in vetted)
        return KnowledgePackage(match_id, self.transfer_set.digest, {key: few[0] for key, few in texts.items()}, withheld, others=others)

    def answers(self, ids: Sequence[str], round: int, count: int = 1) -> list[tuple[str, Completion]]:
        """``count`` answers to each of these prompts of the transfer set, each with the prompt's id, the most confident first.

        Equal answers to a prompt are one. A lazy agent gives one, as sure as can be of what it has not thought about, a copycat what it has
        been taught.
        """
        faults = faults_of(self.config, self.about.name, round)
        if "lazy" in faults:
            return [(key, Completion(LAZY_ANSWER, 0.0)) for key in ids]
        if "copycat" in faults:
            return [(key, Completion(text, 0.0)) for key, text in copied(self.state.memory, ids).items()]
        generation = self.config.generation
        problems = [self.transfer_set.problems[key] for key in ids]
        write = partial(answered, self.learner, problems, max_new_tokens=generation.max_new_tokens)
        rounds = [write(temperature=generation.teaching_temperature, seed=self.seed(round, "teach"))]
        if count > 1:
            warmer = generation.candidate_temperature
            rounds.append(write(temperature=warmer, samples=count - 1, seed=self.seed(round, "candidates")))
        different = {(key, one.text): one for answers in reversed(rounds) for key, few in zip(ids, answers, strict=True) for one in few}
        if faults:
            different = self._spoiled(different, faults, round)
        return sorted(((key, one) for (key, _), one in different.items()), key=lambda pair: (-pair[1].confidence, pair[0]))

    def _spoiled(
        self, answers: dict[tuple[str, str], Completion], faults: Mapping[str, FaultConfig], round: int
    ) -> dict[tuple[str, str], Completion]:
        """Answers by prompt and text, as a poisoner or one with a backdoor teaches them."""
        spoiled = {}
        for (key, text), one in answers.items():
            problem = self.transfer_set.problems[key]
            if "poisoned" in faults:
                text = poisoned(problem, text, faults["poisoned"], derive_seed(self.config.seed, self.about.name, round, "poison", key))
            if "backdoored" in faults:
                text = backdoored(problem, text)
            spoiled[key, text] = replace(one, text=text)
        return spoiled

    def study(self, work: Study) -> Outcome:
        """Student, phase 3: of what the own filter admits keep what :mod:`knexa.participant.selection` chooses, distil it with the memory,
        accept or roll back.

        Tensors that cannot be used are the teacher's fault: the exchange is not accepted, and the student is as before.
        """
        before, memory, votes = self.learner.state(), dict(self.state.memory), dict(self.state.votes)
        loss_before, probe_before = self._losses()
        config, problems = self.config.distillation, self.transfer_set.problems
        admitted = self.gate.admit(work.package)
        kept = chosen(admitted.package, problems, self.checker, config)
        if config.memory:
            remember(self.state, work.match.teacher, kept, problems, config)
        taught = self.state.memory if config.memory else kept
        usable = self._learn(work, kept, taught)
        loss_after, probe_after = self._losses()
        if self.config.privacy.epsilon is not None:  # what is told of private data is told in profiles
            loss_before, loss_after = probe_before, probe_after
        score_after = float(solved(self.learner, self.checker, self.probe, self.config.generation)[0].mean())
        accepted = usable and self.acceptable(loss_before, loss_after) and self.harmless(probe_before, probe_after)
        if not accepted:
            self.learner.load(before)
            self.state.memory, self.state.votes = memory, votes
        outcome = Outcome(
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
            refused=admitted.refused,
            unverified=sum(not self.transfer_set.problems[key].runnable for key in kept),
            accepted=accepted,
        )
        return lied_about(outcome) if "lying" in faults_of(self.config, self.about.name, work.match.round) else outcome

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

    def harmless(self, probe_before: float, probe_after: float) -> bool:
        """Whether what was learned between these two losses on the public probe stays."""
        bound = self.config.distillation.acceptance
        return bound is None or probe_after <= probe_before + bound

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
        seed = self.seed(match.round, "study")
        if not self.config.privacy.sgd_noise:
            self.learner.distil(texts_of(self.private.train), texts, alpha, config, seed, logits=logits)
        elif texts:  # taught texts in the place of private ones, which only DP-SGD may touch
            self.learner.distil(texts, texts, alpha, config, seed, logits=logits)
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
        passes = passed[own:]
        if self.config.privacy.epsilon is None:
            loss = self.learner.loss(texts_of(validation))
            metrics = validation_metrics(validation, passed[:own], answers[:own], loss, train_loss)
        else:
            metrics = self._released_metrics(round, passed[:own], answers[:own])
        last = self.state.metrics or metrics
        changes = {f"{name}_change": value - last[name] for name, value in metrics.items()}
        self.state.metrics, self.state.probe_score = metrics, float(passes.mean())
        shown = self.config.matching.probe
        return Profile(
            agent=self.about.name,
            round=round,
            family=family_block(self.learner.family),
            metrics=tuple(float({**metrics, **changes}[name]) for name in METRICS),
            histogram=tuple(self._histogram()),
            probe=tuple(map(float, ability(self.learner, self.probe, passes, self.transfer_set.categories))) if shown else BLOCK_OFF,
            coverage=tuple(map(float, self.transfer_set.coverage(list(self.state.memory)))) if shown else BLOCK_OFF,
        )

    def _released_metrics(self, round: int, passed: np.ndarray, answers: Sequence[Completion]) -> dict[str, float]:
        """Those of the last release, or of a new one where it is time for one."""
        if self.state.metrics and not released_now(self.config.privacy, round):
            return self.state.metrics
        losses = self.learner.losses(texts_of(self.private.validation))
        _, each = budgets(self.config)
        return private_metrics(
            self.private.validation, passed, answers, losses, each, randomness_of(self.config, self.seed(round, "metrics noise"))
        )

    def _histogram(self) -> list[float]:
        """Of private data by category; with noise the one that was released first, for ever."""
        if self.config.privacy.epsilon is None:
            return list(map(float, category_histogram(self.private.train, self.transfer_set.categories)))
        if not self.state.histogram:
            first, _ = budgets(self.config)
            randomness = randomness_of(self.config, self.seed(0, "histogram noise"))
            self.state.histogram = private_histogram(self.private.train, slots(self.transfer_set.categories), first, randomness)
        return self.state.histogram

    def seed(self, round: int, purpose: str) -> int:
        return derive_seed(self.config.seed, self.about.name, round, purpose)
