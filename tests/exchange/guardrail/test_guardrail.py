"""The outgoing guardrail as a whole: actions, redaction, the bound on what is exposed, canaries, plug-ins."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.config import GuardrailConfig
from knexa.errors import ConfigurationError
from knexa.exchange import Guardrail
from knexa.exchange.guardrail import Action, Finding, Review, Reviewed, count_tokens
from knexa.exchange.guardrail.redaction import MARK, is_program, redacted

MAIL = "jane.roe@clinic.org"
KEY = "gh" + "p_" + "1B2c3D4e5F6g7H8i9J0kLmNoPqRsTuVwXyZ1"
PLAIN = "def f(values):\n    return sum(values)\n"


def one(text: str, **settings_: object) -> Reviewed:
    return Guardrail(config=GuardrailConfig(**{"sier": 1.0, **settings_})).review([text]).texts[0]  # type: ignore[arg-type]


def test_ordinary_code_leaves_as_it_is() -> None:
    """Text, tokens, nothing found."""
    assert one(PLAIN) == Reviewed(Action.PASS, PLAIN, (), count_tokens(PLAIN))


@pytest.mark.parametrize("reaction", ["pass", "redact", "quarantine", "block"])
def test_what_becomes_of_a_secret_is_configured(reaction: str) -> None:
    """And the review says by which rule."""
    reviewed = one(f"token = '{KEY}'\n", secrets=reaction)
    assert reviewed.action is Action(reaction)
    assert (reviewed.text is None) == (reaction in ("quarantine", "block"))
    assert KEY not in repr(reviewed) or reaction == "pass"
    assert "secret/github-token" in {finding.rule for finding in reviewed.findings}


def test_the_strictest_action_wins() -> None:
    """Of a text with a mail address (redact) and a key (block)."""
    assert one(f"x = '{MAIL}'\ny = '{KEY}'\n").action is Action.BLOCK


@pytest.mark.parametrize(
    "form",
    [
        "x = '{}'\n",
        'x = "mail {} now"\n',
        "x = f'{{y}} {}'\n",
        "def f():\n    '''Ask {}.'''\n    return 1\n",
        "    # ask {}\n    return 1\n",
        "x = b'{}'\n",
    ],
)
def test_a_redacted_program_is_still_one(form: str) -> None:
    """In strings of any kind, docstrings and comments."""
    reviewed = one(form.format(MAIL))
    assert reviewed.action is Action.REDACT
    assert reviewed.text is not None
    assert reviewed.text == form.format(MARK).replace("{{", "{").replace("}}", "}")
    assert is_program(reviewed.text)
    assert reviewed.exposed == 0


def test_a_program_that_would_be_none_is_held() -> None:
    """A number with leading zeros is no place for a word; a text that was no program is redacted anyway."""
    assert redacted("x = 4539148803436467j\n", [(4, 20)]) == "x = redactedj\n"
    assert redacted("x = 0o17\n", [(5, 6)]) is None
    assert redacted("call me on +1 2", [(11, 15)]) == f"call me on {MARK}"


def test_nothing_of_an_encoded_secret_is_left() -> None:
    """The whole encoded piece goes; of pieces that were split, each."""
    code = base64.b64encode(f"password='Pebble931!x' {MAIL}".encode()).decode()
    for text in (f"data = '{code}'\n", f"data = ('{code[:10]}'\n        '{code[10:30]}'\n        '{code[30:]}')\n"):
        reviewed = one(text, secrets="redact")
        assert reviewed.text is None or not any(code[at : at + 8] in reviewed.text for at in range(len(code) - 8))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([MAIL, KEY, "536-90-4399", "x + 1", "'", '"', "\n", "# ", "f(", ")", "a = ", "+ "]), max_size=14).map("".join)
)
def test_what_leaves_has_nothing_more_to_be_found(text: str) -> None:
    """With everything redacted, a second review of what left passes it as it is."""
    guardrail = Guardrail(config=GuardrailConfig(secrets="redact", personal="redact", sier=1.0))
    left = guardrail.review([text]).texts[0].text
    if left is not None:
        again = guardrail.review([left]).texts[0]
        assert again.action is Action.PASS
        assert again.text == left


def test_no_more_is_exposed_than_the_bound() -> None:
    """Texts that pass by configuration stay until the share of their sensitive tokens is small enough, the worst first."""
    texts = [PLAIN, f"x = '{MAIL}'\n", f"x = '{MAIL}, {MAIL}, {MAIL}'\n", *[PLAIN.replace("values", f"v{n}") for n in range(20)]]
    review = Guardrail(config=GuardrailConfig(personal="pass", sier=0.03)).review(texts)
    assert 0 < review.sier <= 0.03
    assert [reviewed.action for reviewed in review.texts[:3]] == [Action.PASS, Action.PASS, Action.QUARANTINE]
    assert Guardrail(config=GuardrailConfig(personal="pass", sier=0.0)).review(texts).sier == 0.0


@given(st.lists(st.sampled_from([PLAIN, f"x = '{MAIL}'\n", f"ask {MAIL} or {MAIL}", f"y = '{KEY}'", ""]), max_size=8), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_bound_holds_for_any_texts(texts: list[str], sier: float) -> None:
    """And every text has its review, in order."""
    review = Guardrail(config=GuardrailConfig(personal="pass", secrets="pass", sier=sier)).review(texts)
    assert review.sier <= sier
    assert [reviewed.tokens for reviewed in review.texts] == [count_tokens(text) for text in texts]


def test_a_review_is_a_function_of_its_arguments() -> None:
    """Also across processes with other hash seeds."""
    program = (
        "from knexa.exchange import Guardrail;"
        "g = Guardrail(['def settle(ledger): return quillfeather(ledger) - marrowby(ledger, 48213991)']);"
        f"print(g.review(['x = quillfeather(ledger) - marrowby(ledger, 48213991)', \"y = '{KEY}'\", 'ask {MAIL}']))"
    )
    said = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert "private/" in said.pop()


def test_importing_exchange_stays_cheap_and_without_torch() -> None:
    """The guardrail is loaded when it is asked for; it never needs torch."""
    program = (
        "import sys, knexa.exchange; assert 'knexa.exchange.guardrail' not in sys.modules;"
        "from knexa.exchange import Guardrail, IncomingFilter; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


CANARY = "the blue heron sleeps behind the seventh lantern"


@pytest.mark.parametrize(
    "text",
    [
        f"# {CANARY}",
        f"x = '{CANARY.upper()}'",
        "x = 'blue-heron_sleeps, behind'",
        f"x = '{base64.b64encode(CANARY.encode()).decode()}'",
        f"x = ''.join({[CANARY[at : at + 7] for at in range(0, len(CANARY), 7)]})",
        f"x = '{CANARY[::-1]}'",
    ],
)
def test_a_canary_is_caught_in_any_form_and_in_half(text: str) -> None:
    """Case and separators aside; encoded, split, reversed; four of its eight words in a row."""
    guardrail = Guardrail(canaries=[CANARY])
    assert guardrail.review([text]).texts[0].action is Action.BLOCK
    assert guardrail.review(["# the blue lantern", "x = 'behind the door'"]).withheld == 0


class Strict:
    """Blocks what has the word heron in it."""

    def __init__(self, config: GuardrailConfig) -> None:
        self.config = config

    def review(self, texts: list[str]) -> Review:
        return Review(tuple(self._one(text) for text in texts))

    def _one(self, text: str) -> Reviewed:
        at = text.find("heron")
        if at < 0:
            return Reviewed(Action.PASS, text, tokens=count_tokens(text))
        return Reviewed(Action.BLOCK, None, (Finding("own/bird", at, at + 5, Action.BLOCK),), count_tokens(text), 1)


class Short(Strict):
    """Answers for one text too few."""

    def review(self, texts: list[str]) -> Review:
        return Review(super().review(texts).texts[1:])


class Liar(Strict):
    """Lets another text out than it was asked about."""

    def review(self, texts: list[str]) -> Review:
        return Review(tuple(Reviewed(Action.PASS, "x" + text) for text in texts))


def without_review(config: GuardrailConfig) -> object:
    return object()


@pytest.fixture
def plugs(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, "plugs_of_a_test", sys.modules[__name__])
    return "plugs_of_a_test"


def test_of_our_answer_and_a_plug_ins_the_stricter_holds(plugs: str) -> None:
    """In both directions, with the findings of both."""
    review = Guardrail(config=GuardrailConfig(plug=f"{plugs}:Strict")).review(["heron = 1", f"y = '{KEY}'", PLAIN, f"# heron, ask {MAIL}"])
    assert [reviewed.action for reviewed in review.texts] == [Action.BLOCK, Action.BLOCK, Action.PASS, Action.BLOCK]
    assert {finding.rule for finding in review.texts[3].findings} >= {"own/bird", "personal/email"}


@pytest.mark.parametrize("plug", ["nowhere_at_all:X", "json:nothing", "json", ":", "json:loads.x", "os:sep", "{}:without_review"])
def test_a_plug_in_that_cannot_be_used_is_one_sentence(plug: str, plugs: str) -> None:
    """When the guardrail is made."""
    with pytest.raises(ConfigurationError, match=r"guardrail\.plug: .*; \w+") as caught:
        Guardrail(config=GuardrailConfig(plug=plug.format(plugs)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("plug", ["Short", "Liar"])
def test_a_plug_in_that_answers_nonsense_lets_nothing_out(plug: str, plugs: str) -> None:
    """One sentence, when it answers."""
    guardrail = Guardrail(config=GuardrailConfig(plug=f"{plugs}:{plug}"))
    with pytest.raises(ConfigurationError, match=r"guardrail\.plug"):
        guardrail.review([PLAIN, PLAIN])


def test_the_example_in_the_documentation_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """``examples/own_guardrail``: a text that names a project stays for a person to look at."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "examples" / "own_guardrail"))
    review = Guardrail(config=GuardrailConfig(plug="project_names:ProjectNames")).review(["# for HERON only\nx = 1\n", PLAIN])
    assert [reviewed.action for reviewed in review.texts] == [Action.QUARANTINE, Action.PASS]
    assert review.texts[0].reasons == ("own/project-name",)


def test_the_engine_from_the_extra_finds_what_it_knows() -> None:
    """``knexa[guard]``: a key of a service, at its place also behind letters of several bytes."""
    pytest.importorskip("kingfisher_sdk")
    text = f"# é ü\nx = '{KEY}'\n"
    review = Guardrail(config=GuardrailConfig(plug="knexa.exchange.guardrail.engines:Kingfisher")).review([text, PLAIN])
    found = [finding for finding in review.texts[0].findings if finding.rule.startswith("secret/kingfisher-")]
    assert [text[finding.start : finding.end] for finding in found] == [KEY]
    assert review.texts[1].action is Action.PASS
