"""Whatever comes from outside is a value or is refused as documented: never another error."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from decoders import Decoder, decoders, spoiled

INPUTS = 400


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decoder]:
    return decoders(tmp_path_factory.mktemp("decoders"))


def test_valid_inputs_are_taken(every: dict[str, Decoder]) -> None:
    """So that inputs which are nearly valid get far."""
    for decoder in every.values():
        for original in decoder.originals if decoder.opens else ():
            decoder.decode(original)


def test_spoiled_inputs_are_values_or_refused(every: dict[str, Decoder]) -> None:
    """``benchmarks/fuzz_decoders.py`` tries as many as one likes, and shows one of them again."""
    for name, decoder in every.items():
        refused = 0
        for index in range(INPUTS // 10 if decoder.slow else INPUTS):
            rng = random.Random(f"0:{index}:{name}")
            try:
                decoder.decode(spoiled(rng.choice(decoder.originals), decoder.originals, rng))
            except decoder.refusal:
                refused += 1
        assert refused, f"{name}: nothing was refused, so nothing was spoiled"


def test_nesting_and_digits_without_end_are_refused(every: dict[str, Decoder]) -> None:
    """Deeper than a recursive parser follows, more digits than Python converts: alone, and in the place of what is valid."""
    for decoder in every.values():
        original = decoder.originals[0]
        for odd in (b"[" * 50_000, b'{"a":' * 50_000, b"9" * 5_000):
            for at in (0, len(original) // 2, len(original)):
                for data in (original[:at] + odd, original[:at] + odd + original[at:], original[:at] + odd + b"\n"):
                    with suppress(decoder.refusal):  # digits within a text are taken
                        decoder.decode(data)


def test_what_was_sealed_for_others_opens_for_nobody(every: dict[str, Decoder]) -> None:
    """Not even unspoiled."""
    for decoder in every.values():
        if not decoder.opens:
            with pytest.raises(decoder.refusal):
                decoder.decode(decoder.originals[0])
