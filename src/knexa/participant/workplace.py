"""Where the agents of a simulation work: one learner for each backbone, one sandbox, and the data of all.

Made once in each worker of an engine; every method is a function of its arguments (see
:class:`knexa.simulation.engine.Workplace`, whose interface this implements).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, assert_never

from knexa.config import FederationConfig
from knexa.evaluation.sandbox import Sandbox
from knexa.learning.learner import Learner, use_threads
from knexa.participant.data import federation_data
from knexa.participant.measure import Checker, greedy_scores, sampled_scores
from knexa.participant.state import AgentState
from knexa.participant.work import Participant
from knexa.protocol.peer import Ask, Result, Study, Teach, Train, Work
from knexa.randomness import derive_seed


class LearningWorkplace:
    """The workplace whose agents are language models."""

    def __init__(self, config: FederationConfig) -> None:
        use_threads(config.engine.threads)
        self.config = config
        self._about = {agent.name: agent for agent in config.agents}
        self.data = federation_data(config)
        sandbox = config.sandbox
        self._sandbox = Sandbox(sandbox.backend, sandbox.timeout_s, sandbox.memory_mb, workers=1)
        self._checker = Checker(self._sandbox)
        self._learners: dict[str, Learner] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox's processes."""
        self._sandbox.close()

    def transfer_set(self) -> str:
        return self.data.transfer_set.digest

    def start(self, agent: str) -> bytes:
        learner = self._learner(agent)
        learner.reset(derive_seed(self.config.seed, agent, "adapter"))
        return AgentState(learner.state()).to_bytes()

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        """Do ``work``, beginning in ``state``; the result and the state afterwards."""
        participant = self._participant(agent, state)
        result: Result
        match work:
            case Train():
                result = participant.train(work)
            case Ask():
                result = participant.ask(work)
            case Teach():
                result = participant.teach(work)
            case Study():
                result = participant.study(work)
            case _:
                assert_never(work)
        if isinstance(work, Train | Study):
            participant.state.learner = participant.learner.state()
            return result, participant.state.to_bytes()
        return result, state

    def evaluate(self, agent: str, state: bytes, stage: Literal["start", "round", "end"], round: int) -> dict[str, Any]:
        """Greedy Pass@1 on the validation split between rounds; sampled Pass@k on the test split at start and end."""
        participant = self._participant(agent, state)
        learner, memory = participant.learner, len(participant.state.memory)
        if stage == "round":
            scores = greedy_scores(learner, self._checker, self.data.curve, self.config.generation, self.data.categories)
            return {**scores, "split": "validation", "texts_kept": memory}
        # at the start named by backbone: agents that begin as the same model begin with the same samples
        name = self._about[agent].backbone if stage == "start" else agent
        seed = derive_seed(self.config.seed, name, "test")
        config = self.config
        scores = sampled_scores(
            learner, self._checker, self.data.test, config.generation, config.evaluation, seed, self.data.categories
        )  # fmt: skip
        return {**scores, "split": "test", "texts_kept": memory}

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        self._participant(agent, state).learner.save_adapter(folder)

    def _learner(self, agent: str) -> Learner:
        backbone = self._about[agent].backbone
        if backbone not in self._learners:
            self._learners[backbone] = Learner(backbone, self.config.local)
        return self._learners[backbone]

    def _participant(self, agent: str, state: bytes) -> Participant:
        learner, agent_state = self._learner(agent), AgentState.from_bytes(state)
        learner.load(agent_state.learner)
        data = self.data
        return Participant(
            self._about[agent], self.config, data.private[agent], data.transfer_set, data.probe, learner, self._checker, agent_state
        )
