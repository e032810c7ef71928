"""Pairs of texts for the CodeBLEU benchmark: solutions beside other solutions, and beside what a small model makes of them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.problem_files import load_human_eval
from knexa.evaluation.problems import Problem
from knexa.participant.measure import unindented

#: Programs with the statements that the bank's solutions lack, and slips; one a paragraph.
PROGRAMS = """
total = 0
for row in table:
    for value in row:
        if value > total:
            total = value
return total

best, at = None, -1
for i, v in enumerate(values):
    if best is None or v > best:
        best, at = v, i
return best, at

while low < high:
    middle = (low + high) // 2
    if values[middle] < wanted:
        low = middle + 1
    else:
        high = middle
return low

for n in numbers:
    if n == wanted:
        found = n
        break
else:
    found = None
return found

counts = {}
for word in text.split():
    counts[word] = counts.get(word, 0) + 1
return sorted(counts, key=lambda w: (-counts[w], w))

try:
    number = int(text)
except ValueError as error:
    raise KeyError(text) from error
finally:
    log.append(text)
return number

with open(path) as file, lock:
    lines = [line.strip() for line in file if not line.startswith('#')]
return lines

class Stack:
    size: int = 0
    def push(self, item, *more, key=None, **rest):
        self.items.append(item)
        self.size += 1

if a > b:
    top = a
elif a < b:
    top = b
else:
    top = 0
return top + a

def outer(n=3, step=n0):
    def inner(k: int = n) -> int:
        return k * step
    return inner(n) + inner(step)

self.left = other.right
x[0], x[1] = x[1], x[0]
a = b = c
n: int
m: int = 4
return a

match command:
    case ['go', where]:
        place = where
    case _:
        place = None
return place

if (n := len(items)) > 10:
    return {k: v for k, v in items if k not in seen}
return n is not None

@cached
async def fetch(urls):
    async for url in urls:
        yield await get(url)
    assert urls, f'{urls!r} is empty'
    del urls

größe = 'naïve → ' + name
wert = größe * 2; rest = wert
return größe, rest  # ö

x = 'quoted'
text.mode = 'r'
return x.mode

return max(

if x:
    y = 1
    else:
    y = 2
return y

for in range(3): print x

for i in range(3)
    total += i
return total

The function returns the sum of all values.

return return return return return

x
"""
#: What no paragraph can show, and texts that are no program at all.
OTHERS = (
    '"""A docstring."""\nx = 1  # a comment\n\n"another string"\ny = """two\nlines""" + x\nreturn y',
    "total = a + \\\n    b\nglobal shared\nshared = total\nreturn -total ** 2 if not a else +b",
    "    def f(:\n  return ]]\n",
    "x = = 3\nreturn (a, b\n",
    "'''never closed\nx = 1",
    "\tx = 1\n        y = 2\n",
    "",
    "\x00\x01\ufffd",
    "\r\nx = 1\r\ny = x\r\n",
)
SPECIMENS = (*PROGRAMS.strip().split("\n\n"), *OTHERS)
#: What a slip puts into a program.
INSERTIONS = ("(", ")", "]", ":", "\n", "'", '"', "#", "=", "\\", "é", " in ", " if x else ", "$")


@dataclass(frozen=True, slots=True)
class Pair:
    reference: str
    candidate: str


def pairs(count: int, seed: int, *, ours_only: bool = False) -> list[Pair]:
    """Every specimen beside itself and beside another, then ``count`` more; ``ours_only``: without HumanEval."""
    rng = random.Random(seed)
    bank = load_bank()
    problems = [*bank.private, *bank.test, *bank.transfer]
    sources = [problems] if ours_only else [problems, load_human_eval()]
    found = [Pair(one, other) for one in SPECIMENS for other in (one, spoilt(one, SPECIMENS, rng))]
    for _ in range(count):
        chosen = rng.choice(sources)
        reference, other = (_text(rng.choice(chosen), rng) for _ in range(2))
        candidate = other if rng.random() < 0.25 else reference
        found.append(Pair(reference, spoilt(candidate, SPECIMENS, rng, changes=rng.randrange(4))))
    return found


def _text(problem: Problem, rng: random.Random) -> str:
    """A body, as KNEXA compares it, or the whole function."""
    return unindented(problem.solution) if rng.random() < 0.6 else problem.prompt + problem.solution


def spoilt(text: str, others: Sequence[str], rng: random.Random, changes: int = 1) -> str:
    """``text`` after random changes of the kinds that a language model's mistakes have."""
    for _ in range(changes):
        lines = text.split("\n")
        place, line = rng.randrange(len(text) + 1), rng.randrange(len(lines))
        names = sorted(set(re.findall(r"[^\W\d]\w*", text)))
        match rng.randrange(7):
            case 0:  # the longest text allowed ends here
                text = text[:place]
            case 1 if names:
                text = re.sub(rf"\b{re.escape(rng.choice(names))}\b", rng.choice(["x", "result", *names]), text)
            case 2:
                text = "\n".join([*lines[:line], *lines[line + 1 :]])
            case 3:
                text = "\n".join([*lines[: line + 1], *lines[line:]])
            case 4:
                text = "\n".join([*lines[:line], rng.choice(["", "  ", "        "]) + lines[line].lstrip(), *lines[line + 1 :]])
            case 5:
                text = text[:place] + rng.choice(INSERTIONS) + text[place:]
            case _:
                piece = rng.choice(others)
                text = text[:place] + piece[: rng.randrange(1, 40)] + text[place:]
    return text
