"""Which texts hold a run of private tokens: a plain count, with none of a guardrail's judgement of what is telling."""

from __future__ import annotations

from collections.abc import Sequence

from knexa.exchange.guardrail.code_tokens import Tokens, Vocabulary
from knexa.exchange.guardrail.runs import Line, Runs


class OwnRuns:
    """Runs of ``length`` tokens of ``private`` texts that no ``public`` text holds; comments and whitespace aside."""

    def __init__(self, private: Sequence[str], public: Sequence[str], length: int) -> None:
        self._words = Vocabulary()
        ours, everybodys = ([Line(self._words.learned(Tokens.of(text).texts)) for text in texts] for texts in (private, public))
        self._runs = Runs(length, ours, everybodys)

    def held_by(self, text: str) -> bool:
        """Whether at least one stands in ``text``."""
        return next(self._runs.found_in(Line(self._words.of(Tokens.of(text).texts))), None) is not None
