"""Secrets that are encoded, split or turned; and bombs, which end."""

from __future__ import annotations

import base64
import codecs
import gzip
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.exchange.guardrail import Guardrail, count_tokens
from knexa.exchange.guardrail.views import DEEPEST, LARGEST, TIMES, TooManyViewsError, literals, views

SECRET = "password='Pebble931!xQ'"


def codes(text: str) -> str:
    return ", ".join(str(ord(one)) for one in text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda s: f"b64decode('{base64.b64encode(s.encode()).decode()}')",
    "base64url": lambda s: f"'{base64.urlsafe_b64encode(s.encode()).decode().rstrip('=')}'",
    "base64 over lines": lambda s: f'"""\n{base64.encodebytes((s * 3).encode()).decode()}"""',
    "base64 twice": lambda s: f"'{base64.b64encode(base64.b64encode(s.encode())).decode()}'",
    "base64 reversed": lambda s: f"'{base64.b64encode(s.encode()).decode()[::-1]}'[::-1]",
    "base32": lambda s: f"'{base64.b32encode(s.encode()).decode()}'",
    "base85": lambda s: f"b85decode({base64.b85encode(s.encode()).decode()!r})",
    "hex": lambda s: f"bytes.fromhex('{s.encode().hex()}')",
    "spaced hex": lambda s: f"bytes.fromhex('{s.encode().hex(' ')}')",
    "URL encoding": lambda s: f"'{''.join(f'%{byte:02X}' for byte in s.encode())}'",
    "URL encoding in part": lambda s: f"'{quote(s)}&x={quote('a b')}'",
    "HTML entities": lambda s: f"'{''.join(f'&#{ord(one)};' for one in s)}'",
    "hex escapes": lambda s: "'" + "".join(f"\\x{ord(one):02x}" for one in s) + "'",
    "unicode escapes": lambda s: "'" + "".join(f"\\u{ord(one):04x}" for one in s) + "'",
    "one escape": lambda s: '"' + s.replace("P", "\\x50") + '"',
    "reversed": lambda s: f"{s[::-1]!r}[::-1]",
    "rot13": lambda s: f"codecs.decode({codecs.encode(s, 'rot13')!r}, 'rot13')",
    "gzip": lambda s: f"'{base64.b64encode(gzip.compress(s.encode())).decode()}'",
    "zlib in hex": lambda s: f"'{zlib.compress(s.encode()).hex()}'",
    "character codes": lambda s: f"''.join(map(chr, [{codes(s)}]))",
    "chr": lambda s: " + ".join(f"chr({ord(one)})" for one in s),
    "binary": lambda s: f"'{' '.join(f'{ord(one):08b}' for one in s)}'",
    "split by plus": lambda s: " + ".join(repr(s[at : at + 5]) for at in range(0, len(s), 5)),
    "adjacent literals": lambda s: "(\n" + "\n".join(repr(s[at : at + 6]) for at in range(0, len(s), 6)) + "\n)",
    "joined list": lambda s: f"''.join({[s[at : at + 4] for at in range(0, len(s), 4)]})",
    "variables": lambda s: f"a = {s[:9]!r}\n    b = {s[9:]!r}\n    c = a + b",
    "f-string": lambda s: 'f"{' + repr(s[:10]).replace('"', "'") + "}{" + repr(s[10:]).replace('"', "'") + '}"',
    "separators": lambda s: repr("~".join(s)),
    "full width": lambda s: '"' + "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in s) + '"',
    "zero width": lambda s: '"' + "\u200b".join(s) + '"',
}


@pytest.mark.parametrize("how", ENCODINGS)
def test_an_encoded_secret_is_stopped(how: str) -> None:
    """In a program of which it is one line; the same program without it passes."""
    secret = "api_key=Pebble931xQ7" if how == "f-string" else SECRET
    program = "def f(values):\n    key = {}\n    return len(values)\n"
    review = Guardrail().review([program.format(ENCODINGS[how](secret)), program.format("None")])
    assert review.texts[0].text is None
    assert review.texts[1].text is not None


@pytest.mark.parametrize("how", [how for how in ENCODINGS if how not in ("f-string", "one escape", "full width", "zero width")])
def test_an_encoded_secret_among_other_languages_is_stopped(how: str) -> None:
    """A sentence with letters beyond ASCII is text, too."""
    encoded = ENCODINGS[how](f"für den Zugang: {SECRET}")
    assert Guardrail().review([f"def f(values):\n    key = {encoded}\n    return len(values)\n"]).texts[0].text is None


def test_a_finding_in_a_decoded_piece_lies_over_the_whole_piece() -> None:
    """So that a redaction leaves nothing of it."""
    code = base64.b64encode(SECRET.encode()).decode()
    text = f"x = 1\ndata = '{code}'\ny = 2\n"
    found = Guardrail().review([text]).texts[0].findings
    assert any(text[one.start : one.end].startswith(code.rstrip("=")) for one in found)


def test_a_bomb_of_encodings_ends_and_its_text_stays() -> None:
    """A gzip of 50 MB of nothing, nested base64, and ten thousand pieces: looked at up to a bound, then withheld or found to be nothing."""
    packed = base64.b64encode(gzip.compress(b"a" * 50_000_000)).decode()
    assert all(len(view.text) <= LARGEST for view in views(f"x = '{packed}'"))
    many = "\n".join(f"x{n} = '{base64.b64encode(f'harmless words number {n}'.encode()).decode()}'" for n in range(10_000))
    with pytest.raises(TooManyViewsError):
        list(views(many))
    reviewed = Guardrail().review([many]).texts[0]
    assert reviewed.text is None
    assert "secret/too-many-encodings" in reviewed.reasons


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("ab=%41\\x{}'\"\n&#; 0123456789ABCDEF+/"), max_size=400))
def test_views_are_bounded_for_any_text(text: str) -> None:
    """In number of characters and in depth; every place lies in the text."""
    size = 0
    try:
        for view in views(text):
            size += len(view.text)
            assert 0 <= view.start <= view.end <= len(text)
            assert view.how.count("+") < DEEPEST
    except TooManyViewsError:
        pass
    assert size <= LARGEST + TIMES * len(text)


#: What literals of Python are, as an expression that may take long for quotes that nothing closes.
LITERAL = re.compile(r"""(?:'''(.*?)'''|\"\"\"(.*?)\"\"\"|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")""", re.S)


@settings(max_examples=500)
@given(st.text(st.sampled_from("'\"\\\nab"), max_size=30))
def test_literals_are_those_that_python_would_read(text: str) -> None:
    """The same as the expression finds, one after the other."""
    expected = [(match[match.lastindex or 1], *match.span(match.lastindex or 1)) for match in LITERAL.finditer(text)]
    assert literals(text) == expected


@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", ["a", "'", '"', "1 ", "%41", "\\x41", "password", "A-", "&#65;", "x@", "=", "[[", "aws "])
def test_one_thing_repeated_is_reviewed_to_the_end(run: str) -> None:
    """No expression backtracks without bound: 20,000 characters of each end long before the timeout of a test."""
    text = run * (20_000 // len(run))
    assert Guardrail().review([text]).texts[0].tokens == count_tokens(text)
