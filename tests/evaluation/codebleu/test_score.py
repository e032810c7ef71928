"""CodeBLEU as a whole: the package's numbers, whatever the text, in little time, the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.codebleu import CodeBleu, codebleu, mean_codebleu
from knexa.evaluation.codebleu.score import MAX_CHARACTERS

#: Written by benchmarks/codebleu.py --fixture: pairs of our own code, and what the package codebleu 0.7.0 makes of them.
PACKAGE_SCORES = json.loads(Path(__file__).with_name("package_scores.json").read_text(encoding="utf-8"))
COMPONENTS = ("ngram_match", "weighted_ngram_match", "syntax_match", "data_flow_match", "score")

LOOP = "total = 0\nfor a, b in pairs:\n    total = total + a * b\n    pairs = total, a, b\nreturn total\n"

#: Alphabets near Python, so that random texts get past the first token.
SIGNS = ["=", "=1", "(", ")", "[", "]", ":", ",", ".", "+", "'", '"""', "#", "f'{", "}", "\\", "\n", "\n    ", "    ", "\t", "\r"]
WORDS = ["x", "yy", "1", "é", "else", "for ", "in ", "if ", "elif ", "while ", "def ", "return ", "lambda ", "with ", " not "]
code = st.lists(st.sampled_from([*SIGNS, *WORDS]), max_size=60).map("".join)
anything = st.one_of(code, st.text(st.characters(), max_size=200), st.binary(max_size=200).map(lambda data: data.decode("latin-1")))


@pytest.mark.parametrize("row", PACKAGE_SCORES, ids=range(len(PACKAGE_SCORES)))
def test_every_component_is_the_packages(row: dict[str, object]) -> None:
    """Loops, branches, classes, comprehensions, broken and empty texts: equal to 1e-9."""
    ours = codebleu(str(row["reference"]), str(row["candidate"]))
    assert [getattr(ours, name) for name in COMPONENTS] == pytest.approx([row[name] for name in COMPONENTS], abs=1e-9, rel=0)


@given(reference=anything, candidate=anything)
def test_any_two_texts_have_a_score(reference: str, candidate: str) -> None:
    """Nothing is raised, and every component is a share."""
    found = codebleu(reference, candidate)
    assert all(0.0 <= getattr(found, name) <= 1.0 for name in COMPONENTS)


@settings(max_examples=50)
@example("=\n\ré")
@given(text=anything.filter(lambda text: text.isprintable() or "\n" in text))
def test_nothing_is_more_like_a_text_than_itself(text: str) -> None:
    """Compared with itself a text has every subtree and every edge."""
    found = codebleu(text, text)
    assert found.syntax_match == 1.0
    assert found.data_flow_match in (0.0, 1.0)
    assert found.ngram_match == pytest.approx(1.0) or len(text.split()) < 4


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "(" * 50_000 + ")" * 50_000,
        "'\\'" * 33_000,
        "x = x + y\n" * 10_000,
        "a," * 25_000 + "=" + "b," * 25_000,
        "if a:\n    x = 1\n" + "elif b:\n    x = 2\n" * 6_000 + "y = x + x\n",
        "".join(" " * depth + "for a in b:\n" for depth in range(60)) + " " * 60 + "x = a\n",
        "".join(" " * depth + "while a:\n" for depth in range(400)),
        "a." * 50_000,
        "not " * 25_000,
        '"""' + "a\n" * 50_000,
        "\0" * 100_000,
        "\ud800" * 100_000,
        "\U0001f600" * 100_000,
        "?$!`" * 25_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_takes_long(text: str) -> None:
    """A hundred thousand characters, deep nesting, loops in loops in loops: seconds of processor time are never reached."""
    began = time.process_time()
    assert 0.0 <= codebleu("return x\n", text).score <= 1.0
    assert 0.0 <= codebleu(text, "return x\n").score <= 1.0
    assert time.process_time() - began < 3.0


def test_what_stands_behind_the_limit_is_not_compared() -> None:
    """Two texts that differ only there are equal."""
    text = "x = 1\n" * (MAX_CHARACTERS // 6 + 1)
    assert codebleu(text, text + "y = x\n") == codebleu(text, text)


def test_the_score_is_the_mean_and_no_data_flow_counts_as_one() -> None:
    """The package's rule, also where only the match is 0."""
    assert CodeBleu(0.2, 0.4, 0.6, 0.8).score == pytest.approx(0.5)
    assert CodeBleu(0.2, 0.4, 0.6, 0.0).score == pytest.approx(0.55)


def test_the_mean_is_over_pairs() -> None:
    """Every pair counts once, however long its texts are; no pairs and unequal lists are refused."""
    texts = [problem.solution for problem in load_bank().test[:6]]
    each = [codebleu(one, other).score for one, other in zip(texts, texts[::-1], strict=True)]
    assert mean_codebleu(texts, texts[::-1]) == pytest.approx(sum(each) / 6)
    with pytest.raises(ValueError, match="no pairs"):
        mean_codebleu([], [])
    with pytest.raises(ValueError, match="shorter"):
        mean_codebleu(texts, texts[:5])


def test_the_score_does_not_depend_on_the_process() -> None:
    """Names in a loop meet in the order of the source, not of a hash table: the same seed has to give the same log."""
    program = f"from knexa.evaluation.codebleu import codebleu; print(codebleu({LOOP!r}, {LOOP.replace('b', 'q')!r}))"
    said = {
        subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(said) == 1
