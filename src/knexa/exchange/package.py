"""What travels from a teacher to a student: answers to prompts of the transfer set, named by prompt id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from knexa.errors import PeerError
from knexa.exchange.framing import read_fields, write_fields
from knexa.exchange.limits import LONGEST_ID, LONGEST_TEXT, MOST_BYTES, MOST_PROMPTS
from knexa.exchange.ticket import is_id

#: JSON has no bare line end, so this ends it.
_BEFORE_TENSORS = b"\n"


@dataclass(frozen=True, slots=True)
class KnowledgeRequest:
    """The student's half of an exchange: prompt ids it would like answered, most wanted first; at most ``budget`` answers."""

    match_id: str
    prompt_ids: tuple[str, ...]
    budget: int

    def to_bytes(self) -> bytes:
        """Canonical encoding: what is sealed."""
        return write_fields({"match_id": self.match_id, "prompt_ids": self.prompt_ids, "budget": self.budget})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Any bytes either parse or raise PeerError. Which prompts there are, the transfer set knows."""
        what = "a knowledge request"
        fields = read_fields(data, what, {"match_id": str, "prompt_ids": list, "budget": int}, MOST_BYTES)
        match_id, prompt_ids, budget = fields.values()
        _require(is_id(match_id), what, "its match id is empty, too long or not printable")
        _require(_are_prompts(prompt_ids), what, _NOT_PROMPTS)
        _require(0 <= budget <= MOST_PROMPTS, what, f"its budget is not from 0 to {MOST_PROMPTS}")
        return cls(match_id, tuple(prompt_ids), budget)


@dataclass(frozen=True, slots=True)
class KnowledgePackage:
    """The teacher's answers: ``texts`` maps prompt id to completion, in the order of the teacher's confidence.

    ``transfer_set``: SHA-256 of the transfer set that both sides must hold. ``withheld``: answers the guardrail blocked.
    ``tensors``: safetensors, which the protocols ``logits`` and ``adapter`` add; nothing for ``text``.
    ``others``: further candidates for some of the prompts in ``texts``, at least one for each that is named, the most confident first.
    """

    match_id: str
    transfer_set: str
    texts: dict[str, str]
    withheld: int = 0
    tensors: bytes = b""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def candidates(self, prompt: str) -> tuple[str, ...]:
        """All texts for ``prompt``, which is one of ``texts``, the most confident first."""
        return self.texts[prompt], *self.others.get(prompt, ())

    @property
    def answers(self) -> int:
        """How many texts there are, candidates counted: what a budget of answers is about."""
        return len(self.texts) + sum(map(len, self.others.values()))

    def to_bytes(self) -> bytes:
        """Canonical encoding: what is sealed, counted in bytes and hashed. A prompt and all its candidates are one list."""
        texts = [(prompt, *self.candidates(prompt)) for prompt in self.texts]
        told = write_fields({"match_id": self.match_id, "transfer_set": self.transfer_set, "texts": texts, "withheld": self.withheld})
        return told + (_BEFORE_TENSORS + self.tensors if self.tensors else b"")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Any bytes either parse or raise PeerError.

        Which prompts were asked for, the agent's state machine knows; what may be in ``tensors``, the student's learner.
        """
        what = "a knowledge package"
        _require(len(data) <= MOST_BYTES, what, f"it has {len(data)} bytes; at most {MOST_BYTES} are taken")
        told, before, tensors = data.partition(_BEFORE_TENSORS)
        _require(bool(before) == bool(tensors), what, "it announces tensors and has none")
        fields = read_fields(told, what, {"match_id": str, "transfer_set": str, "texts": list, "withheld": int}, MOST_BYTES)
        match_id, transfer_set, items, withheld = fields.values()
        _require(is_id(match_id), what, "its match id is empty, too long or not printable")
        _require(re.fullmatch("[0-9a-f]{64}", transfer_set) is not None, what, "its transfer set is no SHA-256")
        _require(all(map(_is_answer, items)), what, "its texts are not lists of a prompt id and at least one text")
        _require(_are_prompts([prompt for prompt, *_ in items]), what, _NOT_PROMPTS)
        texts = [text for _, *few in items for text in few]
        _require(len(texts) <= MOST_PROMPTS, what, f"it has more than {MOST_PROMPTS} texts")
        _require(all(len(text) <= LONGEST_TEXT for text in texts), what, f"one of its texts has more than {LONGEST_TEXT} characters")
        _require(0 <= withheld < 2**31, what, "its count of withheld answers is out of range")
        others = {prompt: tuple(more) for prompt, _, *more in items if more}
        return cls(match_id, transfer_set, {prompt: text for prompt, text, *_ in items}, withheld, tensors, others)

    def digest(self) -> str:
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def first(self, answers: int) -> KnowledgePackage:
        """This package with its first ``answers`` answers, candidates counted. With tensors it stays whole (:meth:`within`)."""
        if self.tensors or answers >= self.answers:
            return self
        every = [(prompt, text) for prompt in self.texts for text in self.candidates(prompt)][:answers]
        kept: dict[str, tuple[str, ...]] = {}
        for prompt, text in every:
            kept[prompt] = (*kept.get(prompt, ()), text)
        return self._of(kept)

    def _of(self, kept: Mapping[str, tuple[str, ...]]) -> KnowledgePackage:
        others = {prompt: few[1:] for prompt, few in kept.items() if few[1:]}
        return replace(self, texts={prompt: few[0] for prompt, few in kept.items()}, others=others)

    def within(self, byte_budget: int) -> KnowledgePackage:
        """This package with those answers only that a student takes and that fit into ``byte_budget``, the most confident first.

        Each with as many of its candidates as fit, before the next one has its turn. With tensors it stays whole: they are about all of its
        answers, or it has none.
        """
        if self.tensors:
            return self
        kept: dict[str, tuple[str, ...]] = {}
        room = byte_budget - len(replace(self, texts={}, others={}).to_bytes())
        for prompt in self.texts:
            for text in self.candidates(prompt):
                taken = kept.get(prompt, ())
                # {"p":"t"} is as long as ["p","t"], and a comma goes before it; before a further text goes a comma alone
                first, further = len(write_fields({prompt: text})) + bool(kept), len(write_fields({"": text})) - len('{"":}') + 1
                size = further if taken else first
                if size <= room and len(text) <= LONGEST_TEXT:
                    kept[prompt] = (*taken, text)
                    room -= size
        return self._of(kept)


_NOT_PROMPTS = f"its prompt ids are not up to {MOST_PROMPTS} different texts of 1 to {LONGEST_ID} characters"


def _are_prompts(values: Sequence[Any]) -> bool:
    return len(values) <= MOST_PROMPTS and all(map(_is_prompt, values)) and len(set(values)) == len(values)


def _is_prompt(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= LONGEST_ID


def _is_answer(item: Any) -> bool:
    return type(item) is list and len(item) >= 2 and all(type(part) is str for part in item)


def _require(holds: bool, what: str, fault: str) -> None:
    if not holds:
        raise PeerError(f"{what} is not valid: {fault}; have its sender use the same version of knexa")
