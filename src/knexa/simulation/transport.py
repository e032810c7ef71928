"""The virtual network, and the one place where its faults are drawn.

Today's faults are delay and loss. A crash (all messages of an agent lost from one round on) and a liar (a message changed
on its way) belong here too: both are functions of a message and its number, as :meth:`Transport.delay` is.
"""

from __future__ import annotations

from knexa.config import TransportConfig
from knexa.randomness import stream


class Transport:
    """Gives every message a fate of its own: drawn from the seed and the message's number alone, so a resumed run draws the same."""

    def __init__(self, config: TransportConfig, seed: int, *, sent: int = 0) -> None:
        """``sent``: messages sent before (more than 0 only when a run is resumed)."""
        self.sent = sent
        self._config = config
        self._seed = seed

    def delay(self) -> float | None:
        """Seconds until the next message arrives (exponentially distributed), or None if it is lost."""
        draw = stream(self._seed, "transport", self.sent)
        self.sent += 1
        lost = draw.random() < self._config.loss
        delay = float(draw.exponential(self._config.delay_s)) if self._config.delay_s > 0 else 0.0
        return None if lost else delay
