"""The words of the template language: operations, preparations and finishes.

A problem is a sentence of three parts, each of which is one step of the solution::

    Drop negative numbers, then return the sum of the squares, plus 3.
    preparation ──────────────        operation ───────────────  finish

A template is a phrase and a piece of Python; Python of several lines ends with an expression, the value of the operation.
Numbers are part of a template ("plus 3"): copying a number from a sentence into code takes a model larger than these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a function takes: ``n`` a non-negative int, ``nums`` a list of ints, ``text`` a string, ``words`` a string of
#: words, ``a_b`` two lists of ints.
InputKind = Literal["n", "nums", "text", "words", "a_b"]
#: What an operation gives back; finishes are chosen by it.
ResultKind = Literal["int", "list", "str", "bool", "dict"]

PARAMETERS: dict[InputKind, tuple[str, ...]] = {"n": ("n",), "nums": ("nums",), "text": ("text",), "words": ("text",), "a_b": ("a", "b")}


@dataclass(frozen=True, slots=True)
class Operation:
    """What the function computes; ``name`` is also the name of the function."""

    name: str
    phrase: str
    code: str
    gives: ResultKind


@dataclass(frozen=True, slots=True)
class Step:
    """A preparation (statement on the input) or a finish (expression of ``result``)."""

    phrase: str
    code: str


@dataclass(frozen=True, slots=True)
class Category:
    """Operations on one kind of input.

    ``operations``: what every split but the base split asks for, all alike. ``schooling``: operations of the base split
    only. A base split also holds the first ``common`` of ``operations``; the others are what private data and teachers
    have to give. ``largest``: the largest number in test inputs.
    """

    name: str
    takes: InputKind
    operations: tuple[Operation, ...]
    schooling: tuple[Operation, ...]
    largest: int = 30
    common: int = 1

    @property
    def schooled(self) -> tuple[Operation, ...]:
        """The operations of the base split."""
        return self.operations[: self.common] + self.schooling

    @property
    def special(self) -> tuple[Operation, ...]:
        """The operations that no base was ever shown solved correctly."""
        return self.operations[self.common :]


PREPARATIONS: dict[InputKind, tuple[Step, ...]] = {
    "n": (
        Step("double n", "n = n * 2"),
        Step("add 7 to n", "n = n + 7"),
        Step("multiply n by 6", "n = n * 6"),
        Step("drop the last digit of n", "n = n // 10"),
        Step("halve n, rounding down", "n = n // 2"),
    ),
    "nums": (
        Step("drop negative numbers", "nums = [x for x in nums if x >= 0]"),
        Step("skip the first number", "nums = nums[1:]"),
        Step("skip the last number", "nums = nums[:-1]"),
        Step("add 3 to every number", "nums = [x + 3 for x in nums]"),
        Step("take absolute values", "nums = [abs(x) for x in nums]"),
        Step("reverse nums", "nums = nums[::-1]"),
    ),
    "text": (
        Step("ignore case", "text = text.lower()"),
        Step("skip the first character", "text = text[1:]"),
        Step("skip the last character", "text = text[:-1]"),
        Step("remove spaces", "text = text.replace(' ', '')"),
        Step("reverse the text", "text = text[::-1]"),
    ),
    "words": (
        Step("ignore case", "text = text.lower()"),
        Step("turn commas into spaces", "text = text.replace(',', ' ')"),
        Step("skip the first word", "text = ' '.join(text.split()[1:])"),
        Step("skip the last word", "text = ' '.join(text.split()[:-1])"),
        Step("append the word 'end'", "text = text + ' end'"),
    ),
    "a_b": (
        Step("reverse b", "b = b[::-1]"),
        Step("add 5 to every number of a", "a = [x + 5 for x in a]"),
        Step("skip the first number of a", "a = a[1:]"),
        Step("take absolute values of b", "b = [abs(x) for x in b]"),
        Step("swap a and b", "a, b = b, a"),
    ),
}

FINISHES: dict[ResultKind, tuple[Step, ...]] = {
    "int": (
        Step("plus 2", "result + 2"),
        Step("times 4", "result * 4"),
        Step("negated", "-result"),
        Step("at most 7", "min(result, 7)"),
        Step("as a string", "str(result)"),
    ),
    "list": (
        Step("reversed", "result[::-1]"),
        Step("only the first 6", "result[:6]"),
        Step("without the first", "result[1:]"),
        Step("twice in a row", "result + result"),
    ),
    "str": (
        Step("in upper case", "result.upper()"),
        Step("repeated 3 times", "result * 3"),
        Step("followed by 's'", "result + 's'"),
        Step("reversed", "result[::-1]"),
    ),
    "bool": (
        Step("negated", "not result"),
        Step("as 'yes' or 'no'", "'yes' if result else 'no'"),
        Step("as a string", "str(result)"),
    ),
    "dict": (
        Step("as a sorted list of items", "sorted(result.items())"),
        Step("only the keys, sorted", "sorted(result)"),
        Step("only the number of keys", "len(result)"),
    ),
}
