"""What travels from a teacher to a student: answers to prompts of the transfer set, named by prompt id."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnowledgeRequest:
    """The student's half of an exchange: prompt ids it would like answered, most wanted first; at most ``budget`` answers."""

    match_id: str
    prompt_ids: tuple[str, ...]
    budget: int


@dataclass(frozen=True, slots=True)
class KnowledgePackage:
    """The teacher's answers: ``texts`` maps prompt id to completion, in the order of the teacher's confidence.

    ``transfer_set``: SHA-256 of the transfer set that both sides must hold. ``withheld``: answers the guardrail blocked.
    ``tensors``: safetensors, which the protocols ``logits`` and ``adapter`` add; nothing for ``text``.
    """

    match_id: str
    transfer_set: str
    texts: dict[str, str]
    withheld: int = 0
    tensors: bytes = b""

    def to_bytes(self) -> bytes:
        """Canonical encoding: what is sealed, counted in bytes and hashed."""
        fields = {
            "match_id": self.match_id,
            "transfer_set": self.transfer_set,
            "texts": list(self.texts.items()),
            "withheld": self.withheld,
            **({"tensors": base64.b64encode(self.tensors).decode()} if self.tensors else {}),
        }
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    def digest(self) -> str:
        return hashlib.sha256(self.to_bytes()).hexdigest()
