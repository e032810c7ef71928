"""Whatever comes from outside is a value or is refused as documented: never another error."""

from __future__ import annotations

import random

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


def test_what_was_sealed_for_others_opens_for_nobody(every: dict[str, Decoder]) -> None:
    """Not even unspoiled."""
    for decoder in every.values():
        if not decoder.opens:
            with pytest.raises(decoder.refusal):
                decoder.decode(decoder.originals[0])
