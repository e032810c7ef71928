"""Encodings of text: how an encoded piece looks, and what it says, read as the standard says and only as far as it is text."""

from __future__ import annotations

import base64
import binascii
import html
import re
import urllib.parse
import zlib
from collections.abc import Callable
from dataclasses import dataclass

#: Bytes that one piece is decompressed to at most.
LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """``form``: of a piece; ``decode``: what it says, or an empty text. ``signs``: one of them is in every text with such a piece."""

    name: str
    signs: re.Pattern[str]
    form: re.Pattern[str]
    decode: Callable[[str], str]

    def is_possible(self, text: str) -> bool:
        return self.signs.search(text) is not None


def is_readable(text: str) -> bool:
    """Whether nearly all of ``text`` is printable, in whatever language: what decodes into noise was no text."""
    if len(text) < 6:
        return False
    return text.isprintable() or sum(one.isprintable() or one in "\n\t\r" for one in text) >= 0.95 * len(text)


def _text(content: bytes) -> str:
    """Of decoded bytes, decompressed if they are compressed; empty if they are no text."""
    if content[:2] in (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        try:
            content = zlib.decompressobj(wbits=47).decompress(content, LARGEST)
        except zlib.error:
            return ""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return ""


_TO_STANDARD = str.maketrans("-_", "+/", " \n\t\r")


def decoded_base64(piece: str) -> str:
    """What ``piece`` says, in the standard alphabet or that of URLs, padded or not; empty if it is no text."""
    body = piece.rstrip("=").translate(_TO_STANDARD)
    if len(body) % 4 == 1:
        return ""
    try:
        return _text(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except binascii.Error:
        return ""


def _base32(piece: str) -> str:
    body = piece.rstrip("=")
    try:
        return _text(base64.b32decode(body + "=" * (-len(body) % 8)))
    except binascii.Error:
        return ""


def _hex(piece: str) -> str:
    digits = re.sub(r"[^0-9A-Fa-f]", "", piece)
    return _text(bytes.fromhex(digits)) if len(digits) % 2 == 0 else ""


_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3})|([nt'\"\\]))")
_PLAIN_ESCAPES = {"n": "\n", "t": "\t"}


def decoded_escapes(piece: str) -> str:
    """A literal of Python or JSON as it is meant."""

    def one(match: re.Match[str]) -> str:
        if match[5]:
            return _PLAIN_ESCAPES.get(match[5], match[5])
        return _character(int(match[1] or match[2] or match[3] or match[4], 8 if match[4] else 16))

    return _ESCAPE.sub(one, piece)


def decoded_whole(piece: str) -> str:
    """A literal in one of the alphabets of 85 signs, which any text could be."""
    for decode in (base64.b85decode, base64.a85decode):
        try:
            found = _text(decode(piece))
        except ValueError:
            continue
        if found:
            return found
    return ""


_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|\d+")


def _codes(piece: str) -> str:
    return "".join(_character(int(one, 16 if one[1:2] in ("x", "X") else 10)) for one in _NUMBER.findall(piece))


def _binary(piece: str) -> str:
    return "".join(_character(int(one, 2)) for one in piece.split())


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 else "\0"


_CODE = r"(?:0[xX][0-9A-Fa-f]{2}|\d{2,3})"

ENCODINGS: tuple[Encoding, ...] = (
    Encoding(
        "hex",
        re.compile(r"[0-9A-Fa-f]{16}|(?:[0-9A-Fa-f]{2}[ :]){8}"),
        re.compile(
            r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}){8,}(?![0-9A-Za-z])|(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}[ "
            r":]){8,}[0-9A-Fa-f]{2}(?![0-9A-Za-z])"
        ),
        _hex,
    ),
    Encoding(
        "base64",
        re.compile(r"[A-Za-z0-9+/_-]{16}"),
        re.compile(r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{4}\s{0,3}){4,}[A-Za-z0-9+/_-]{0,4}={0,2}"),
        decoded_base64,
    ),
    Encoding("base32", re.compile(r"[A-Z2-7]{24}"), re.compile(r"(?<![A-Z2-7])[A-Z2-7]{24,}={0,6}(?![A-Z2-7])"), _base32),
    Encoding(
        "URL encoding",
        re.compile("%[0-9A-Fa-f]{2}"),
        re.compile(r"(?:[\w.~-]{0,40}%[0-9A-Fa-f]{2}){3,}[\w.~-]{0,80}"),
        urllib.parse.unquote,
    ),
    Encoding(
        "HTML entities",
        re.compile("&(?:#|[a-z]{2,6};)"),
        re.compile(r"(?:[\w.~-]{0,40}&(?:#\d{2,5}|#x[0-9A-Fa-f]{2,5}|\w{2,6});){3,}[\w.~-]{0,80}"),
        html.unescape,
    ),
    Encoding(
        "character codes", re.compile(_CODE + r"\s*[,; ]\s*" + _CODE), re.compile(rf"(?:\b{_CODE}\b\s?[,; ]\s*){{7,}}\b{_CODE}\b"), _codes
    ),
    Encoding("character codes", re.compile(r"chr\("), re.compile(rf"(?:chr\(\s*{_CODE}\s*\)[\s+,]*){{6,}}"), _codes),
    Encoding("binary", re.compile("[01]{7} [01]{7}"), re.compile(r"(?:[01]{7,8} ){7,}[01]{7,8}"), _binary),
)
