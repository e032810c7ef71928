"""Whether a string could be a secret: drawn at random, or made up by a person; and not a placeholder, a name, or a piece of an alphabet."""

from __future__ import annotations

import math
import re
from collections import Counter


def entropy(text: str) -> float:
    """Shannon entropy of its characters in bits a character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


#: Marks of a place that somebody else fills in.
_PLACEHOLDER = re.compile(
    r"(?i)x{4,}|\*{3,}|\.{3}|<.*>|\{.*\}|^\$\(?\{?\w+|%\(\w|%[sdrif](?!\w)|your|example|sample|dummy"
    r"|placeholder|change.?me|redacted|12345|qwert"
)
#: What people write where a secret would stand, as words of which all of it consists.
_NO_SECRETS = frozenset(
    re.findall(
        r"\S+",
        "a abc access account admin api app auth authorization basic bar baz bearer bytes client code "
        "config correct credential credentials data default "
        "digest enc encoded env fake field file foo get goodbye hash header hello http id input invalid "
        "is it json key keyword kind length list load "
        "manager my mypassword name new no none not null number object of old or pass passphrase passwd "
        "password prefix private pw pwd raw salt secret "
        "self server service set sha spam str string super test text the this to todo token tokens type unicode url user username utf "
        "valid "
        "value values wrong world x y z",
    )
)
_WORDS = re.compile(r"[A-Za-z]+(?:[ _.-][A-Za-z]+)*[.!?:]?")
#: Runs that no secret drawn at random has, and every alphabet.
_SEQUENCES = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "9876543210", "zyxwvutsrqponmlkjihgfedcba")
_LONGEST_SEQUENCE = 5
_SEQUENCE = re.compile(
    "|".join(run[start : start + _LONGEST_SEQUENCE] for run in _SEQUENCES for start in range(len(run) - _LONGEST_SEQUENCE + 1))
)
_CAMEL = re.compile(r"[A-Z]?[a-z]{3,}")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_password(value: str) -> bool:
    """Whether somebody would use ``value``: neither a placeholder, nor words, nor an expression of code."""
    if not 6 <= len(value) <= 200 or _PLACEHOLDER.search(value) or _WORDS.fullmatch(value):
        return False
    parts = [one.lower() for one in _PARTS.findall(value)]
    if all(one in _NO_SECRETS for one in parts):
        # digits and signs alone are no word: a long number after "password" is one
        return not parts and len(set(value)) >= 6 and not is_sequence(value) and value.isdigit()
    return kinds(value) >= 2 and len(set(value)) >= 5 and not is_sequence(value)


_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def is_said_password(value: str) -> bool:
    """The same in a sentence, whose words and marks are none."""
    value = value.rstrip(".,;:!?)")
    return is_bare_password(value) and any(one.isdigit() for one in value)


def is_bare_password(value: str) -> bool:
    """The same without quotes around, where it could be a name of the program."""
    if not is_password(value):
        return False
    if "(" in value or "[" in value:
        return False
    digits = sum(one.isdigit() for one in value)
    return not _IDENTIFIER.fullmatch(value) or (digits >= 2 and len(value) >= 8) or (digits > 2 and len(value) >= 6)


def is_random(value: str) -> bool:
    """Whether ``value``, of the alphabet of base64, looks drawn at random."""
    # A path or a name in camel case has few digits; what is drawn has one in six characters.
    digits = sum(one.isdigit() for one in value)
    upper = sum(one.isupper() for one in value)
    lower = sum(one.islower() for one in value)
    mixed = min(digits, upper, lower) >= max(2, len(value) // 12)
    words = sum(map(len, _CAMEL.findall(value))) > 0.6 * len(value)
    return mixed and not words and entropy(value) >= min(4.2, 0.85 * math.log2(len(value))) and not is_sequence(value)


def is_random_hex(value: str) -> bool:
    """Whether hexadecimal digits look drawn at random."""
    return entropy(value.lower()) >= 3.0 and not is_sequence(value) and not value.isdigit() and not value.isalpha()


def is_sequence(value: str) -> bool:
    """Whether a piece of an alphabet, in its order, is in ``value``."""
    return _SEQUENCE.search(value.lower()) is not None


def kinds(value: str) -> int:
    """How many of lower case, upper case, digits and signs are in ``value``."""
    tests = (str.islower, str.isupper, str.isdigit, lambda one: not one.isalnum())
    return sum(any(test(one) for one in value) for test in tests)
