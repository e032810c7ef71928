"""Near-verbatim private text: what is private is found, what everybody writes is not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.partition import dirichlet_partition
from knexa.exchange.guardrail import Guardrail
from knexa.exchange.guardrail.overlap import PrivateTexts

PRIVATE = '''def settle(ledger, rate):
    """Settle the open positions of the Marrowby ledger."""
    total = 0
    for position in ledger:
        # the Quillfeather rule of the third quarter
        weight = position.amount * rate + position.fee
        if weight > 1.75 * position.limit:
            weight = position.limit
        total = total + weight - position.rebate
    return round(total, 4)
'''
RENAMES = {"settle": "f", "ledger": "rows", "rate": "r", "total": "acc", "position": "row", "weight": "w", "amount": "a", "fee": "b",
           "limit": "c", "rebate": "d"}  # fmt: skip
ORDINARY = "def total(values):\n    result = 0\n    for value in values:\n        result = result + value\n    return result\n"


def renamed(text: str, names: dict[str, str]) -> str:
    return "".join(names.get(one, one) for one in __import__("re").split(r"(\w+)", text))


def rules(private: list[str], text: str, public: list[str] | None = None, length: int = 24) -> set[str]:
    return {rule for rule, _, _ in PrivateTexts(private, public or [], length).find(text)}


def test_a_private_text_is_found_and_an_ordinary_one_is_not() -> None:
    """In full, and half of it inside another program."""
    half = "".join(PRIVATE.splitlines(keepends=True)[5:])
    assert "private/verbatim" in rules([PRIVATE], PRIVATE)
    assert "private/verbatim" in rules([PRIVATE], ORDINARY + half)
    assert rules([PRIVATE], ORDINARY) == set()


def test_comments_and_whitespace_hide_nothing() -> None:
    """Other indentation, comments between the lines, blank lines."""
    other = PRIVATE.replace("    ", "\t").replace("\n", "  # and so on\n\n")
    assert "private/verbatim" in rules([PRIVATE], other)


def test_renaming_hides_nothing_and_another_program_of_the_same_shape_is_another() -> None:
    """One name for one name is found; names mixed up are no renaming."""
    body = "".join(PRIVATE.splitlines(keepends=True)[2:])
    assert "private/renamed" in rules([PRIVATE], renamed(body, RENAMES))
    mixed = renamed(body, {**RENAMES, "amount": "c", "fee": "a", "limit": "b", "total": "w", "weight": "acc"}).replace("acc", "row", 2)
    assert "private/renamed" not in rules([PRIVATE], mixed)


def test_what_a_public_text_holds_is_not_private() -> None:
    """Also where the agent has it, too."""
    assert rules([PRIVATE], PRIVATE, public=[PRIVATE]) == set()


def test_a_whole_private_text_is_found_however_ordinary_its_words_are() -> None:
    """In full; a short program inside a longer right answer is none."""
    private = [ORDINARY, *(ORDINARY.replace("value", name) for name in ("item", "number", "entry"))]
    assert "private/whole" in rules(private, ORDINARY)
    assert (
        rules(
            private, ORDINARY + "\n\ndef mean(values):\n    if not values:\n        return None\n    return total(values) / len(values)\n"
        )
        == set()
    )


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("the access phrase is heron-48213-oak", "private/telling-piece"),
        ("the phrase is velvet marmot under glass", "private/phrase"),
        ("Marrowby positions go to Quillfeather first", "private/phrase"),
        ("patient 20391847", "private/telling-piece"),
        ("KX9-4471-PLM", "private/telling-piece"),
    ],
)
@pytest.mark.parametrize("form", ['    """{}"""\n', "    # {}\n", "    note = '{}'\n"])
def test_a_planted_piece_is_found_without_being_listed(planted: str, rule: str, form: str) -> None:
    """In a docstring, a comment, a constant; also if it was planted ten times."""
    private = [f"def f{n}(values):\n{form.format(planted)}    return {n} * len(values)\n" for n in range(10)]
    text = f"def total(values):\n    x = 0\n{form.format(planted)}    return sum(values) + x\n"
    assert rule in rules([ORDINARY, *private], text)
    assert rules([ORDINARY], text) == set()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 12))
def test_runs_are_those_of_a_plain_comparison(seed: int, length: int) -> None:
    """Of words that are all Python's: a text is found if twice ``length`` tokens in a row are a private one's, and only then."""
    rng = random.Random(seed)
    words = ["for", "in", "if", "len", "(", ")", ":", "sum", "+", "max"]
    private, text = ([rng.choice(words) for _ in range(60)] for _ in range(2))
    if rng.random() < 0.7:
        size, at, to = rng.randrange(2, 40), rng.randrange(20), rng.randrange(20)
        text[to : to + size] = private[at : at + size]
    runs = {tuple(private[at : at + 2 * length]) for at in range(len(private) - 2 * length + 1)}
    expected = any(tuple(text[at : at + 2 * length]) in runs for at in range(len(text) - 2 * length + 1))
    found = rules([" ".join(private)], " ".join(text), length=length)
    assert ("private/verbatim" in found) == expected


def test_a_run_is_confirmed_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hash that makes everything equal, different texts are still different."""
    from knexa.exchange.guardrail import runs

    monkeypatch.setattr(runs, "_mixed", lambda ids: np.zeros(len(ids), dtype=np.uint64))
    other = ORDINARY * 4
    assert rules([PRIVATE], other) == set()


def test_right_answers_to_public_problems_pass() -> None:
    """Of the bank's own: at most 2 % of the solutions to transfer problems are held for private text, and nearly all private ones are."""
    bank = load_bank()
    public = [text for problem in bank.transfer for text in (problem.prompt, problem.test)]
    held = own = ours = 0
    shares = dirichlet_partition(list(bank.private), 4, 0.5, 20, np.random.default_rng(3))
    for share in shares:
        guardrail = Guardrail([text for one in share for text in (one.prompt, one.solution)], public_texts=public)
        held += guardrail.review([one.solution for one in bank.transfer]).withheld
        mine = share[:60]
        own += guardrail.review([one.prompt + one.solution for one in mine]).withheld
        ours += len(mine)
    assert held <= 0.02 * len(shares) * len(bank.transfer)
    assert own >= 0.9 * ours
