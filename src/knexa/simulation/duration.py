"""How long work takes in virtual time: a function of the work and the configuration, never of the machine.

The figures are those of a nominal device that reads 100 training examples, writes 2,000 tokens or checks 50 texts a second.
They order what happens in a simulation and decide who misses a deadline; nobody's results are measured in them.
"""

from __future__ import annotations

from collections.abc import Callable

from knexa.config import FederationConfig
from knexa.protocol.peer import Ask, Study, Teach, Train, Work

EXAMPLES_PER_SECOND = 100.0
TOKENS_PER_SECOND = 2000.0
CHECKS_PER_SECOND = 50.0

#: Virtual seconds that an agent (by name) takes for a piece of work.
Duration = Callable[[str, Work], float]


def nominal_duration(config: FederationConfig) -> Duration:
    """The default: every agent has the same device."""
    examples_per_step = config.local.batch_size * config.local.accumulate

    def duration(agent: str, work: Work) -> float:
        match work:
            case Train(round):
                steps = config.local.first_steps if round == 1 else config.local.steps
                return steps * examples_per_step / EXAMPLES_PER_SECOND
            case Ask():
                return 0.0
            case Teach(_, request):
                answers = min(len(request.prompt_ids), request.budget)
                return answers * config.generation.max_new_tokens / TOKENS_PER_SECOND
            case Study(_, package):
                examples = config.distillation.steps * examples_per_step
                return examples / EXAMPLES_PER_SECOND + len(package.texts) / CHECKS_PER_SECOND

    return duration
