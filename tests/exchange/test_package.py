"""Requests and packages as bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from exchange_parties import PACKAGE, REQUEST, X_U, parses_or_peer_error, refuse
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.exchange.limits import LONGEST_TEXT, MOST_BYTES, MOST_PROMPTS
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest

valid_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def package_of(answers: dict[str, list[str]], withheld: int = 0) -> KnowledgePackage:
    """``answers``: prompt id to its candidates, at least one."""
    others = {prompt: tuple(few[1:]) for prompt, few in answers.items() if few[1:]}
    return KnowledgePackage("r1-t-s", X_U, {prompt: few[0] for prompt, few in answers.items()}, withheld, others=others)


packages = st.builds(package_of, st.dictionaries(ids, st.lists(valid_text, min_size=1, max_size=3), max_size=6), st.integers(0, 2**31 - 1))
requests = st.builds(KnowledgeRequest, st.just("r1-t-s"), st.lists(ids, unique=True, max_size=6).map(tuple), st.integers(0, MOST_PROMPTS))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["\ud800", 10**400, -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=9,
)


@settings(max_examples=40, deadline=None)
@given(packages, requests)
def test_bytes_give_back_the_value(package: KnowledgePackage, request: KnowledgeRequest) -> None:
    """Also the order of the answers and of their candidates, which is the teacher's confidence."""
    assert KnowledgePackage.from_bytes(package.to_bytes()) == package
    assert list(KnowledgePackage.from_bytes(package.to_bytes()).texts) == list(package.texts)
    assert KnowledgeRequest.from_bytes(request.to_bytes()) == request


def test_the_bytes_of_a_package_are_those_that_logs_name() -> None:
    """Event logs hold hashes and sizes of packages: their encoding may not change."""
    package = KnowledgePackage("r1-a-b", X_U, {"p/1": 'def f():\n\treturn "ü"', "p/0": ""}, 2)
    expected = '{"match_id":"r1-a-b","transfer_set":"' + X_U + '","texts":[["p/1","def f():\\n\\treturn \\"ü\\""],["p/0",""]],"withheld":2}'
    assert package.to_bytes() == expected.encode()
    assert package.digest() == hashlib.sha256(expected.encode()).hexdigest()


def test_candidates_stand_behind_the_first_text_of_their_prompt() -> None:
    """One list a prompt, and nothing else is different; the budget counts every text."""
    package = package_of({"p/1": ["a", "b", "c"], "p/0": ["d"]})
    assert b'"texts":[["p/1","a","b","c"],["p/0","d"]]' in package.to_bytes()
    assert (package.candidates("p/1"), package.candidates("p/0"), package.answers) == (("a", "b", "c"), ("d",), 4)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_a_peer_error(data: bytes) -> None:
    """Random bytes do nothing else."""
    parses_or_peer_error(KnowledgePackage.from_bytes, data)
    parses_or_peer_error(KnowledgeRequest.from_bytes, data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([PACKAGE, REQUEST]), st.integers(0, 3), anything, st.booleans())
def test_any_value_in_a_field_parses_or_is_a_peer_error(
    value: KnowledgePackage | KnowledgeRequest, place: int, new: object, ascii: bool
) -> None:
    """JSON of the right form with anything in one of its fields."""
    form = json.loads(value.to_bytes())
    form[list(form)[place % len(form)]] = new
    text = json.dumps(form, separators=(",", ":"), ensure_ascii=ascii).encode(errors="surrogatepass")
    parses_or_peer_error(type(value).from_bytes, text)


def _package(text: str) -> bytes:
    return PACKAGE.to_bytes().replace(
        b'"texts":' + json.dumps(list(map(list, PACKAGE.texts.items())), separators=(",", ":")).encode(), text.encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        replace(PACKAGE, match_id="").to_bytes(),
        replace(PACKAGE, match_id="two\nlines").to_bytes(),
        replace(PACKAGE, transfer_set="other").to_bytes(),
        replace(PACKAGE, withheld=-1).to_bytes(),
        replace(PACKAGE, withheld=2**31).to_bytes(),
        replace(PACKAGE, texts={"": "x"}).to_bytes(),
        replace(PACKAGE, texts={"p" * 201: "x"}).to_bytes(),
        replace(PACKAGE, texts={"p": "x" * (LONGEST_TEXT + 1)}).to_bytes(),
        replace(PACKAGE, texts={str(number): "" for number in range(MOST_PROMPTS + 1)}).to_bytes(),
        replace(PACKAGE, texts={str(number): "x" * LONGEST_TEXT for number in range(17)}).to_bytes(),
        replace(PACKAGE, texts={"p": "1"}, others={"p": ("x" * (LONGEST_TEXT + 1),)}).to_bytes(),
        replace(PACKAGE, texts={"p": "1"}, others={"p": ("x",) * MOST_PROMPTS}).to_bytes(),
        _package('"texts":[["p","1"],["p","2"]]'),
        _package('"texts":[["p","1",2]]'),
        _package('"texts":[["p"]]'),
        _package('"texts":[["p",1]]'),
        _package('"texts":[[["p"],"1"]]'),
        _package('"texts":{"p":"1"}'),
        _package('"texts":[["p","\\ud800"]]'),
        _package('"texts":[["p","\\u0041"]]'),
        _package('"texts":' + "[" * 100_000),
        PACKAGE.to_bytes().replace(b"marker", b"mark\xff\xff"),
        PACKAGE.to_bytes()[:-1] + b',"extra":0}',
    ],
)
def test_a_bad_package_is_a_peer_error(data: bytes) -> None:
    """Empty, long, duplicate and unprintable ids, long and many texts, other types, other spellings, no UTF-8, deep nesting."""
    assert data != PACKAGE.to_bytes()
    refuse(lambda: KnowledgePackage.from_bytes(data))


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, prompt_ids=("p", "p")),
        replace(REQUEST, prompt_ids=("",)),
        replace(REQUEST, prompt_ids=("p" * 201,)),
        replace(REQUEST, prompt_ids=(1,)),
        replace(REQUEST, prompt_ids=tuple(map(str, range(MOST_PROMPTS + 1)))),
        replace(REQUEST, budget=-1),
        replace(REQUEST, budget=True),
        replace(REQUEST, budget=MOST_PROMPTS + 1),
        replace(REQUEST, match_id="r1\x1b[2J"),
    ],
)
def test_a_bad_request_is_a_peer_error(request_: KnowledgeRequest) -> None:
    """Duplicate, empty, long, many ids, ids that are no text, budgets out of range, control characters."""
    refuse(lambda: KnowledgeRequest.from_bytes(request_.to_bytes()))


@pytest.mark.parametrize("fill", [b"[],", b"{},", b"9", b'"",', b"[", b'{"a":', b"1e9,"])
def test_a_hostile_megabyte_is_a_peer_error(fill: bytes) -> None:
    """The JSON that costs a parser most, at the largest size that is read, and one byte above it."""
    hostile = b'{"match_id":[' + fill * (MOST_BYTES // len(fill))
    refuse(lambda: KnowledgePackage.from_bytes(hostile[:MOST_BYTES]))
    refuse(lambda: KnowledgePackage.from_bytes(hostile[:MOST_BYTES] + b"]"), "at most")


@settings(max_examples=60, deadline=None)
@given(packages, st.integers(0, 400))
def test_a_package_cut_to_a_budget_keeps_the_most_confident_texts_that_fit(package: KnowledgePackage, budget: int) -> None:
    """In their order, within the budget; and no text that was left out would have fitted after those that were kept before it."""
    cut = package.within(budget)
    assert list(cut.texts) == [prompt for prompt in package.texts if prompt in cut.texts]
    assert len(cut.to_bytes()) <= max(budget, len(replace(package, texts={}, others={}).to_bytes()))
    kept: dict[str, list[str]] = {}
    for prompt in package.texts:
        for text in package.candidates(prompt):
            more = kept | {prompt: [*kept.get(prompt, []), text]}
            if len(package_of(more, package.withheld).to_bytes()) <= budget:
                kept = more
    assert cut == package_of(kept, package.withheld)
