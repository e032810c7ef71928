"""What a server asks agents for, and what it does itself: values that whoever carries out a central step hands to a workplace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from knexa.exchange.framing import write_fields

#: The server among those who work. No agent may have such a name.
SERVER = "@server"

#: A prompt of the transfer set by its id, and a text that answers it.
AnsweredPrompt = tuple[str, str]

R = TypeVar("R")


class Task(Generic[R]):
    """Something to do whose result is an R."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """Prompt id, text and confidence (mean log-probability of its tokens, nats) of each answer."""

    answers: tuple[tuple[str, str, float], ...]

    @property
    def texts(self) -> tuple[AnsweredPrompt, ...]:
        return tuple((prompt, text) for prompt, text, _ in self.answers)


@dataclass(frozen=True, slots=True)
class Learned:
    """Mean loss (nats a token) on the private validation set before and after; not ``accepted``: undone, as a bad exchange is."""

    loss_before: float
    loss_after: float
    accepted: bool = True


@dataclass(frozen=True, slots=True)
class Shared:
    """An adapter as bytes, and the number of private examples that it was trained on."""

    adapter: bytes
    examples: int


@dataclass(frozen=True, slots=True)
class Answer(Task[Answers]):
    """Answer at most ``prompts`` prompts of the transfer set greedily (of few, :func:`~knexa.baselines.budget.shared`).

    Which ones is drawn from seed and round: the same for everybody.
    """

    prompts: int


@dataclass(frozen=True, slots=True)
class Tell(Task[bytes]):
    """Say what is likely at each token of ``texts``, in strings."""

    texts: tuple[AnsweredPrompt, ...]


@dataclass(frozen=True, slots=True)
class Blend(Task[bytes]):
    """The server's: the mean of what agents ``told`` of ``texts``, in the vocabulary of ``backbone``."""

    backbone: str
    texts: tuple[AnsweredPrompt, ...]
    told: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Distil(Task[Learned]):
    """Take ``steps`` steps of Eq. 2 on ``texts``; with ``soft``, a blend for one's own vocabulary, on that instead of the bare texts."""

    texts: tuple[AnsweredPrompt, ...]
    steps: int
    soft: bytes = b""


@dataclass(frozen=True, slots=True)
class Learn(Task[None]):
    """The server model's: ``steps`` steps of cross-entropy on ``texts``, which are all that it has."""

    texts: tuple[AnsweredPrompt, ...]
    steps: int


@dataclass(frozen=True, slots=True)
class Share(Task[Shared]):
    """Give the adapter."""


@dataclass(frozen=True, slots=True)
class Mean(Task[bytes]):
    """The server's: the mean of ``adapters``, factor by factor. ``weights`` sum to 1."""

    adapters: tuple[bytes, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Adopt(Task[Learned]):
    """Take over ``adapter``."""

    adapter: bytes


class Carry(Protocol):
    """Has tasks carried out, side by side, and returns their results in the order of ``orders``: who works, and what at."""

    def __call__(self, orders: Sequence[tuple[str, Task[R]]]) -> list[R]: ...


def size_of(texts: Sequence[AnsweredPrompt]) -> int:
    """Bytes of ``texts`` on their way, encoded as in a knowledge package."""
    return len(write_fields({"texts": list(texts)}))
