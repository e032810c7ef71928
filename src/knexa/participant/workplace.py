"""Where the agents of a simulation work: one learner for each backbone, one sandbox, and the data of all.

Made once in each worker of an engine; every method is a function of its arguments (see
:class:`knexa.simulation.engine.Workplace`, whose interface this implements).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, assert_never

from knexa.baselines.tasks import SERVER, Blend, Mean, Task
from knexa.config import AgentConfig, FederationConfig
from knexa.errors import ConfigurationError, RunFolderError
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Sandbox
from knexa.learning.endpoint import Endpoint
from knexa.learning.learner import Learner, Text, use_threads
from knexa.learning.merging import factor_mean
from knexa.participant.central import LASTING, Assistant
from knexa.participant.data import NO_DATA, federation_data
from knexa.participant.faults import carries_payload
from knexa.participant.gate import Gate
from knexa.participant.measure import Checker, greedy_scores, sampled_scores, texts_of
from knexa.participant.private_profile import require_budget, spent, training_epsilon
from knexa.participant.state import AgentState
from knexa.participant.work import Participant
from knexa.protocol.peer import Ask, Result, Study, Teach, Train, Work
from knexa.randomness import derive_seed


class LearningWorkplace:
    """The workplace whose agents are language models."""

    def __init__(self, config: FederationConfig) -> None:
        use_threads(config.engine.threads)
        self.config = config
        # Built past the rules of names, so that no agent can be taken for the server.
        server = AgentConfig.model_construct(name=SERVER, backbone=config.central.backbone or config.agents[0].backbone)
        self._about = {agent.name: agent for agent in (*config.agents, server)}
        self.data = federation_data(config)
        sandbox = config.sandbox
        self._sandbox = Sandbox(sandbox.backend, sandbox.timeout_s, sandbox.memory_mb, workers=1)
        self._checker = Checker(self._sandbox)
        self._learners: dict[str, Learner] = {}
        self._gates: dict[str, Gate] = {}

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
        """Raises ConfigurationError if its training would spend more of its privacy than it may."""
        require_budget(self.config, agent, self.data.private.get(agent, NO_DATA))
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

    def assist(self, agent: str, task: Task[Any], state: bytes, round: int) -> tuple[Any, bytes]:
        """Carry out a central server's ``task`` as ``agent``, or as the server itself; the result and the state afterwards."""
        match task:
            case Mean(adapters, weights):
                return factor_mean(adapters, weights), state
            case Blend(backbone, texts, told):
                problems, k = self.data.transfer_set.problems, self.config.distillation.top_logits
                return self._learner_of(backbone).blend([(problems[key].prompt, text) for key, text in texts], told, k), state
        assistant = Assistant(self._participant(agent, state), round)
        result = assistant.carry_out(task)
        if isinstance(task, LASTING):
            assistant.participant.state.learner = assistant.participant.learner.state()
            return result, assistant.participant.state.to_bytes()
        return result, state

    def evaluate(self, agent: str, state: bytes, stage: Literal["start", "round", "end"], round: int) -> dict[str, Any]:
        """Greedy Pass@1 on the validation split between rounds; sampled Pass@k on the test split at start and end."""
        participant = self._participant(agent, state)
        learner, memory = participant.learner, len(participant.state.memory)
        if stage == "round":
            scores = greedy_scores(learner, self._checker, self.data.curve, self.config.generation, self.data.categories)
            return {**scores, "split": "validation", "texts_kept": memory, "cut": self._cut(participant, self.data.curve)}
        # at the start named by backbone: agents that begin as the same model begin with the same samples
        name = self._about[agent].backbone if stage == "start" else agent
        seed = derive_seed(self.config.seed, name, "test")
        config = self.config
        marked = carries_payload if any(fault.kind == "backdoored" for fault in config.faults) else None
        scores = sampled_scores(
            learner, self._checker, self.data.test, config.generation, config.evaluation, seed, self.data.categories, marked
        )
        told = {**scores, "split": "test", "texts_kept": memory, "cut": self._cut(participant, self.data.test)}
        return told | self._privacy(agent, round)

    def _privacy(self, agent: str, round: int) -> dict[str, float]:
        """Epsilon that was spent after ``round`` rounds, by profiles and by training; nothing is said of what is not private."""
        privacy, texts = self.config.privacy, len(self.data.private.get(agent, NO_DATA).train)
        profiles = {"epsilon": spent(self.config, round)} if privacy.epsilon is not None else {}
        training = {"training_epsilon": training_epsilon(self.config, texts, round)} if privacy.sgd_noise and texts else {}
        return profiles | training

    def _cut(self, participant: Participant, problems: Sequence[Problem]) -> int:
        """How many texts were too long: of ``problems``, and of those that the agent learns from and judges itself by.

        Of public ones alone where profiles have a budget: a coordinator hears it.
        """
        private = participant.private
        own = (*private.train, *private.validation) if self.config.privacy.epsilon is None else ()
        return participant.learner.cut(texts_of((*problems, *own, *self.data.probe)))

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        self._participant(agent, state).learner.save_adapter(folder)

    def final_losses(self, agent: str, folder: Path) -> Callable[[Sequence[Text]], list[float]]:
        """The loss (nats a token) of each of some texts under the adapter that ``agent`` ended with in the run folder ``folder``.

        Good until another agent's work is done here. Raises RunFolderError where the adapter is not there.
        """
        path = folder / "agents" / agent / "adapter" / "adapter_model.safetensors"
        if not path.is_file():
            raise RunFolderError(f"{path}: is not there; pass the folder of a run that came to its end")
        learner = self._learner(agent)
        learner.adopt(path.read_bytes())
        return lambda texts: learner.losses(texts)

    def _learner(self, agent: str) -> Learner:
        return self._learner_of(self._about[agent].backbone)

    def _learner_of(self, backbone: str) -> Learner:
        if backbone not in self._learners:
            engine = self.config.engine
            endpoint = None if engine.endpoint is None else Endpoint(engine.endpoint, engine.endpoint_folder)
            learner = Learner(backbone, self.config.local, self.config.model, engine.device, endpoint)
            _require_room_for_prompts(backbone, learner.context, self.config.generation.max_new_tokens)
            self._learners[backbone] = learner
        return self._learners[backbone]

    def _participant(self, agent: str, state: bytes) -> Participant:
        learner, agent_state = self._learner(agent), AgentState.from_bytes(state)
        learner.load(agent_state.learner)
        data = self.data
        return Participant(
            self._about[agent],
            self.config,
            data.private.get(agent, NO_DATA),
            data.transfer_set,
            data.probe,
            learner,
            self._checker,
            self._gate(agent),
            agent_state,
        )

    def _gate(self, agent: str) -> Gate:
        if agent not in self._gates:
            self._gates[agent] = Gate(self.data.private.get(agent, NO_DATA), self.data.transfer_set, self.config.guardrail)
        return self._gates[agent]


def _require_room_for_prompts(backbone: str, context: int | None, max_new_tokens: int) -> None:
    """Raises ConfigurationError if answers may take more than half of what the model reads: prompts would lose their beginning unseen."""
    if context is not None and max_new_tokens > context // 2:
        raise ConfigurationError(
            f"generation.max_new_tokens: found {max_new_tokens}; allowed: at most {context // 2}, half of the {context} tokens that "
            f"{backbone} reads, so that prompts keep the other half"
        )
