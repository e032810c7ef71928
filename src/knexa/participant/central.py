"""Work for a central server (:mod:`knexa.baselines`): what an agent does at its request, and what the server's own model does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from knexa.baselines.budget import shared
from knexa.baselines.tasks import Adopt, Answer, AnsweredPrompt, Answers, Distil, Learn, Learned, Share, Shared, Task, Tell
from knexa.learning.distillation import alpha_at
from knexa.learning.learner import Text
from knexa.participant.measure import texts_of
from knexa.participant.work import Participant
from knexa.randomness import stream

#: Tasks that change who carries them out.
LASTING = (Distil, Learn, Adopt)


@dataclass(frozen=True, slots=True)
class Assistant:
    """``participant`` at work for a server, after ``round``; or the server itself, which is a participant without private data."""

    participant: Participant
    round: int

    def carry_out(self, task: Task[Any]) -> Any:
        match task:
            case Answer(prompts):
                return self.answers(prompts)
            case Tell(texts):
                return self.participant.learner.tell(self._with_prompts(texts), self.participant.config.distillation.top_logits)
            case Distil():
                return self.distil(task)
            case Learn(texts, steps):
                return self.learn(texts, steps)
            case Share():
                return Shared(self.participant.learner.adapter_bytes(), len(self.participant.private.train))
            case Adopt(adapter):
                return self.adopt(adapter)
        raise TypeError(f"a {type(task).__name__} is no work of a participant")

    def answers(self, prompts: int) -> Answers:
        """To the prompts of the round, drawn for all alike; ``prompts``, or fewer where the transfer set is small."""
        participant = self.participant
        most = min(prompts, shared(participant.config, len(participant.transfer_set.problems)))
        drawn = participant.transfer_set.draw(most, (), (), stream(participant.config.seed, "central", self.round))
        answers = participant.answers(drawn, self.round)
        return Answers(tuple((prompt, answer.text, answer.confidence) for prompt, answer in answers))

    def distil(self, task: Distil) -> Learned:
        """Eq. 2 on what the server sent, accepted or rolled back as an exchange is."""
        participant, learner = self.participant, self.participant.learner
        config = participant.config.distillation.model_copy(update={"steps": task.steps})
        texts = self._with_prompts(task.texts)
        soft = learner.softened(texts, task.soft) if task.soft else {}
        alpha = alpha_at(self.round, participant.config.rounds, config.alpha_start, config.alpha_end)
        before, loss_before = learner.state(), self._loss()
        seed = participant.seed(self.round, "central")
        learner.distil(texts_of(participant.private.train), texts, alpha, config, seed, logits=soft)
        loss_after = self._loss()
        accepted = participant.acceptable(loss_before, loss_after)
        if not accepted:
            learner.load(before)
        return Learned(loss_before, loss_after, accepted)

    def learn(self, texts: Sequence[AnsweredPrompt], steps: int) -> None:
        """As a student without teacher: these texts are all that there is."""
        config = self.participant.config.distillation.model_copy(update={"steps": steps})
        seed = self.participant.seed(self.round, "central")
        self.participant.learner.distil(self._with_prompts(texts), (), 0.0, config, seed)

    def adopt(self, adapter: bytes) -> Learned:
        loss_before = self._loss()
        self.participant.learner.adopt(adapter)
        return Learned(loss_before, self._loss())

    def _loss(self) -> float:
        return self.participant.learner.loss(texts_of(self.participant.private.validation))

    def _with_prompts(self, texts: Sequence[AnsweredPrompt]) -> list[Text]:
        problems = self.participant.transfer_set.problems
        return [(problems[prompt].prompt, text) for prompt, text in texts]
