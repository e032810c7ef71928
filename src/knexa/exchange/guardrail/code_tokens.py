"""Tokens of a program or a text, as numbers: the same word is the same number everywhere, comments and whitespace are none."""

from __future__ import annotations

import builtins
import collections
import keyword
import re
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knexa.exchange.guardrail.review import TOKEN

Ids = npt.NDArray[np.int32]
_COMMENT = re.compile(r"#[^\n'\"]*$", re.M)
_NAME = re.compile(r"[^\W\d]\w*")
#: Of a word that no private text has.
UNKNOWN = -1


def _ordinary() -> frozenset[str]:
    """Names that Python itself gives: those of its words, its functions and modules, and of the methods of its types."""
    names = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *sys.stdlib_module_names}
    for kind in (
        str,
        bytes,
        int,
        float,
        complex,
        list,
        dict,
        set,
        tuple,
        range,
        collections.Counter,
        collections.deque,
        re.Pattern,
        re.Match,
    ):
        names |= set(dir(kind))
    names |= {
        "default",
        "key",
        "reverse",
        "start",
        "end",
        "sep",
        "strict",
        "initial",
        "encoding",
        "maxsplit",
        "self",
        "cls",
        "args",
        "kwargs",
    }
    return frozenset(part.lower() for name in names for part in (name, *name.split("_")))


#: Words of Python, in lower case.
ORDINARY = _ordinary()
#: Names that stay when a program is renamed, since they are not the author's.
_FIXED = frozenset(keyword.kwlist) | frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one text: the tokens, and where each begins and ends."""

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str, *, comments: bool = False) -> Tokens:
        """``comments``: whether those of a program count."""
        found = list(TOKEN.finditer(text if comments else without_comments(text)))
        return cls(tuple(one[0] for one in found), tuple(one.start() for one in found), tuple(one.end() for one in found))


def without_comments(text: str) -> str:
    """``text`` with blanks where its comments are, so that places stay."""
    return _COMMENT.sub(lambda match: " " * len(match[0]), text) if "#" in text else text


class Vocabulary:
    """A number for every word that was seen while it was open."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids) + 1

    def learned(self, words: tuple[str, ...]) -> Ids:
        """Numbers of ``words``, which are learned if they are new."""
        ids = self._ids
        return np.array([ids.setdefault(word, len(ids) + 1) for word in words], dtype=np.int32)

    def of(self, words: tuple[str, ...]) -> Ids:
        """Numbers of ``words``; :data:`UNKNOWN` for others."""
        known = self._ids.get
        return np.array([known(word, UNKNOWN) for word in words], dtype=np.int32)

    def words(self) -> list[str]:
        """In the order of their numbers, which begin with 1."""
        return list(self._ids)


def renamed(words: tuple[str, ...]) -> tuple[tuple[str, ...], Ids]:
    """``words`` with one word for all names; and for each name how many tokens ago it was last, 0 for others and for a first one.

    Two programs that differ in names only have the same of both (Baker's encoding of parameterised strings, 1993).
    """
    last: dict[str, int] = {}
    shape, ago = [], np.zeros(len(words), dtype=np.int32)
    for place, word in enumerate(words):
        if word in _FIXED or not _NAME.fullmatch(word):
            shape.append(word)
            continue
        shape.append("·")
        before = last.get(word)
        ago[place] = 0 if before is None else place - before
        last[word] = place
    return tuple(shape), ago
