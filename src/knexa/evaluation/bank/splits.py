"""The embedded problem bank and its splits, disjoint by prompt and by normalised solution.

Every category gives the same share to every split. The base split holds schooling and common operations only; the rest
is drawn from all operations alike, so a private pool, the transfer set and the test split ask for the same knowledge.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from knexa.errors import ConfigurationError
from knexa.evaluation.bank.compose import Composition, build, draw, skeleton
from knexa.evaluation.bank.lists import AGGREGATION, DICTIONARIES, FILTERING, MAPPING, ORDERING, SEARCHING
from knexa.evaluation.bank.numbers import ARITHMETIC, NUMBER_THEORY, SEQUENCES
from knexa.evaluation.bank.template import Category, Operation
from knexa.evaluation.bank.texts import CHARACTERS, PAIRING, WORDS
from knexa.evaluation.problems import Problem
from knexa.evaluation.splits import Splits
from knexa.randomness import stream

ALL_CATEGORIES = (
    ARITHMETIC, NUMBER_THEORY, AGGREGATION, FILTERING, MAPPING, ORDERING,
    SEARCHING, CHARACTERS, WORDS, DICTIONARIES, PAIRING, SEQUENCES,
)  # fmt: skip
BANK_SEED = 2601
BANK_FILE = Path(__file__).with_name("problems.jsonl.gz")
TRANSFER_SIZE = 128
#: Tells zlib to put the window of 2^15 bytes, and gzip's header and sum, around what it compresses.
_GZIP = 16 + 15
#: Attempts to compose a new problem from one operation.
DRAWS = 500

#: Problems of one category in each split. The transfer set is cut to TRANSFER_SIZE afterwards.
SHARES = {"base": 110, "private": 110, "validation": 10, "transfer": 11, "probe": 5, "test": 21}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank(Splits):
    """``base`` trained the embedded backbones; the other splits are what a federation uses."""

    base: tuple[Problem, ...]

    def all(self) -> tuple[Problem, ...]:
        return self.base + self.private + self.validation + self.transfer + self.probe + self.test


@lru_cache(maxsize=1)
def load_bank() -> Bank:
    """The embedded bank, read from the file that ``python -m knexa.evaluation.bank.splits`` writes."""
    rows = [json.loads(line) for line in gzip.decompress(BANK_FILE.read_bytes()).decode().splitlines()]
    splits: dict[str, Any] = {name: tuple(Problem(**row["problem"]) for row in rows if row["split"] == name) for name in SHARES}
    return Bank(**splits)


def make_bank() -> Bank:
    """Compose the bank from its templates; always the same problems (seed :data:`BANK_SEED`). Takes seconds, so it is shipped."""
    splits: dict[str, list[Problem]] = {name: [] for name in SHARES}
    seen: set[str] = set()
    for category in ALL_CATEGORIES:
        for name, problems in _category_splits(category, seen).items():
            splits[name].extend(problems)
    # 12 x 11 = 132 prompts against the paper's 128: the first categories lose their last, a second one on its operation
    share = SHARES["transfer"]
    surplus = {p.task_id for p in splits["transfer"][share - 1 :: share][: len(splits["transfer"]) - TRANSFER_SIZE]}
    splits["transfer"] = [p for p in splits["transfer"] if p.task_id not in surplus]
    frozen: dict[str, Any] = {name: tuple(problems) for name, problems in splits.items()}
    return Bank(**frozen)


def _category_splits(category: Category, seen: set[str]) -> dict[str, list[Problem]]:
    result: dict[str, list[Problem]] = {}
    for name in ("test", "probe", "transfer", "validation", "private", "base"):  # scarce splits draw first
        operations = category.schooled if name == "base" else category.operations
        result[name] = []
        rng = stream(BANK_SEED, category.name, name)
        # whole passes over the operations, each in a new order: every split asks for all of them about equally
        passes = 1 + SHARES[name] // len(operations)
        order = [operations[index] for _ in range(passes) for index in rng.permutation(len(operations))]
        for operation in order[: SHARES[name]]:
            # the base split asks much of few operations: where one has no combination left, another takes its place
            spare = [other for other in operations if other is not operation] if name == "base" else []
            task_id = f"{category.name}/{name}/{len(result[name])}"
            result[name].append(_new_problem(category, [operation, *spare], task_id, seen))
    return result


def _new_problem(category: Category, operations: Sequence[Operation], task_id: str, seen: set[str]) -> Problem:
    """A problem on the first of ``operations`` that still has a combination whose skeleton was not ``seen``."""
    rng = stream(BANK_SEED, task_id)
    for operation in operations:
        for _ in range(DRAWS):
            composition: Composition = draw(category, operation, rng)
            masked = skeleton(composition.prompt() + composition.body())
            if masked in seen:
                continue
            problem = build(composition, task_id, rng)
            if problem is not None:
                seen.add(masked)
                return problem
    raise ConfigurationError(f"bank: {category.name}/{operations[0].name} has too few combinations for {task_id}; add steps to template.py")


def write_bank(bank: Bank, path: Path) -> None:
    """One JSON line a problem, compressed (gzip); equal banks give equal bytes, whatever the Python."""
    rows = [{"split": name, "problem": asdict(problem)} for name in SHARES for problem in getattr(bank, name)]
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    path.write_bytes(zlib.compress(text.encode(), level=9, wbits=_GZIP))  # gzip.compress writes another header since Python 3.13


if __name__ == "__main__":
    write_bank(make_bank(), BANK_FILE)
