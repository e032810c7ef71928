"""The longest texts that a peer may send, made to keep a rule busy: each is reviewed, both ways, before an agent would be missed."""

from __future__ import annotations

import pytest

from knexa.exchange import Guardrail
from knexa.exchange.guardrail.incoming import IncomingFilter
from knexa.exchange.limits import LONGEST_TEXT

PIECES = {
    "said, and then blank lines": ("token is", "\n"),
    "said, and then spaces": ("token is", " "),
    "quotes that nothing closes": ("", "\\'"),
    "quotes of both kinds": ("", "\"'\\"),
    "copyright, and then blank lines": ("copyright", "\n"),
    "years after years": ("copyright 1999", " , 1999"),
    "bearer, and then spaces": ("bearer", " "),
    "words without end": ("", "ACGT"),
    "words": ("", "abc "),
    "digits": ("", "41 "),
    "percent signs": ("", "%41"),
    "entities": ("", "&#65;"),
    "calls": ("", "chr(65)+"),
    "base64": ("", "QUJD"),
    "an address that never ends": ("a@", "b."),
    "URLs": ("", "https://a:b"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [900, LONGEST_TEXT])
@pytest.mark.parametrize(("begin", "again"), list(PIECES.values()), ids=list(PIECES))
def test_no_text_keeps_a_review_busy(begin: str, again: str, width: int) -> None:
    """In one line, which no answer is, and in lines that an answer may have. The timeout is thirty times what the slowest takes."""
    line = (begin + again * LONGEST_TEXT)[:width]
    text = "\n".join([line] * (LONGEST_TEXT // (width + 1) + 1))[:LONGEST_TEXT]
    for review in (IncomingFilter().review, Guardrail().review):
        assert len(review([text]).texts) == 1


@pytest.mark.timeout(60)
def test_long_words_of_ones_own_data_are_read_once() -> None:
    """Rows of DNA, say: the index of private texts is made before the first answer leaves."""
    rows = [f"sequence {number}: '" + "ACGT" * 5_000 + "'" for number in range(4)]
    assert Guardrail(rows).review(["def f():\n    return 1\n"]).texts[0].text is not None
