"""How long work takes in virtual time: a function of the work and the configuration, never of the machine.

The figures are those of a nominal device that reads 100 training examples, writes 2,000 tokens or checks 50 texts a second.
They order what happens in a simulation; nobody's results are measured in them. Where the work of a configuration would not
fit into its deadline, the device is as much faster as it has to be: a deadline is there for stragglers and lost messages,
and a longer training must not turn every agent into a straggler.
"""

from __future__ import annotations

from collections.abc import Callable

from knexa.config import FederationConfig
from knexa.protocol.peer import Ask, Study, Teach, Train, Work

EXAMPLES_PER_SECOND = 100.0
TOKENS_PER_SECOND = 2000.0
CHECKS_PER_SECOND = 50.0

#: The longest piece of work takes at most this share of a phase.
LONGEST_SHARE = 0.2

#: Virtual seconds that an agent (by name) takes for a piece of work.
Duration = Callable[[str, Work], float]


def nominal_duration(config: FederationConfig) -> Duration:
    """The default: every agent has the same device."""
    examples_per_step = config.local.batch_size * config.local.accumulate
    steps_of_round = (config.local.first_steps, config.local.steps)
    answers_at_most = config.distillation.prompts
    longest = max(
        max(*steps_of_round, config.distillation.steps) * examples_per_step / EXAMPLES_PER_SECOND + answers_at_most / CHECKS_PER_SECOND,
        answers_at_most * config.generation.max_new_tokens / TOKENS_PER_SECOND,
    )
    pace = min(1.0, LONGEST_SHARE * config.transport.deadline_s / longest)

    def nominal(work: Work) -> float:
        match work:
            case Train(round):
                steps = steps_of_round[0] if round == 1 else steps_of_round[1]
                return steps * examples_per_step / EXAMPLES_PER_SECOND
            case Ask():
                return 0.0
            case Teach(match, request):
                answers = min(len(request.prompt_ids) * config.distillation.candidates_by(match.protocol), request.budget)
                return answers * config.generation.max_new_tokens / TOKENS_PER_SECOND
            case Study(_, package):
                examples = config.distillation.steps * examples_per_step
                return examples / EXAMPLES_PER_SECOND + package.answers / CHECKS_PER_SECOND

    return lambda agent, work: pace * nominal(work)
