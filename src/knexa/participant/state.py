"""An agent's whole state as bytes: the learner's tensors, the memory of verified texts, and the metrics last reported.

There are no random streams to save: every draw is named by seed, agent, round and purpose (:mod:`knexa.randomness`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from knexa.errors import RunFolderError

_MAGIC = b"KNEXA-AGENT-1\n"


@dataclass(slots=True)
class AgentState:
    """``learner``: see :meth:`knexa.learning.learner.Learner.state`. ``memory``: prompt id to verified text, oldest first.

    ``metrics``: the six measured metrics of the last profile (empty before the first). ``probe_score`` belongs to them.
    ``histogram``: as it was released, where it is released with noise: once.
    ``votes``: prompt id to teacher to its last text, where teachers are compared (``distillation.agreement``).
    """

    learner: bytes
    memory: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    probe_score: float = 0.0
    votes: dict[str, dict[str, str]] = field(default_factory=dict)
    histogram: list[float] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        votes = {"votes": [[prompt, list(texts.items())] for prompt, texts in self.votes.items()]} if self.votes else {}
        about = {"memory": list(self.memory.items()), "metrics": self.metrics, "probe_score": self.probe_score}
        once = {"histogram": self.histogram} if self.histogram else {}
        return _MAGIC + json.dumps(about | votes | once, sort_keys=True).encode() + b"\n" + self.learner

    @classmethod
    def from_bytes(cls, blob: bytes) -> AgentState:
        """Raises RunFolderError if ``blob`` is not a state that this version wrote."""
        if not blob.startswith(_MAGIC):
            raise RunFolderError("an agent's saved state is damaged or of another version; start the run anew")
        about, _, learner = blob[len(_MAGIC) :].partition(b"\n")
        try:
            fields = json.loads(about)
            votes = {prompt: dict(texts) for prompt, texts in fields.get("votes", ())}
            return cls(learner, dict(fields["memory"]), fields["metrics"], fields["probe_score"], votes, fields.get("histogram", []))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RunFolderError(f"an agent's saved state is damaged ({error}); start the run anew") from error
