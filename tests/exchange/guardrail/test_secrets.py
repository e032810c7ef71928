"""Secrets: every family by its form, and what looks like one and is none."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.exchange.guardrail.secret_values import entropy, is_password, is_random, is_random_hex
from knexa.exchange.guardrail.secrets import RULES, find_secrets

LETTERS = string.ascii_letters + string.digits


def drawn(length: int, alphabet: str = LETTERS, seed: int = 7) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(length))


def hexadecimal(length: int) -> str:
    return drawn(length, "0123456789abcdef")


#: Rule to texts that it has to find something in. Assembled here, so that no scanner takes this file for a leak.
FOUND = {
    "aws-access-key": ["AK" + "IA" + drawn(16, string.ascii_uppercase + "234567")],
    "aws-secret-key": [f"aws_secret = '{drawn(40)}'"],
    "google-api-key": ["AI" + "za" + drawn(35)],
    "google-oauth": ["ya" + "29." + drawn(40), "GOC" + "SPX-" + drawn(28)],
    "google-service-account": ['{"type": "service_account", "project_id": "x"}'],
    "azure-storage-key": ["AccountName=a;AccountKey=" + drawn(86) + "==;"],
    "azure-client-secret": [drawn(3) + "8Q~" + drawn(34)],
    "azure-shared-access": ["https://a.blob.core.windows.net/b?sv=1&sig=" + drawn(43) + "%3D"],
    "github-token": ["gh" + "p_" + drawn(36), "github" + "_pat_" + drawn(82)],
    "gitlab-token": ["gl" + "pat-" + drawn(20)],
    "npm-token": ["np" + "m_" + drawn(36)],
    "pypi-token": ["py" + "pi-" + drawn(90)],
    "docker-token": ["dckr" + "_pat_" + drawn(27)],
    "slack-token": ["xo" + "xb-123456789012-123456789012-" + drawn(24)],
    "slack-webhook": ["https://hooks.sl" + "ack.com/services/T0AB/B0CD/" + drawn(24)],
    "discord-token": ["M" + drawn(23) + "." + drawn(6) + "." + drawn(27)],
    "telegram-token": ["110201543:AA" + drawn(33)],
    "stripe-key": ["sk" + "_live_" + drawn(24), "wh" + "sec_" + drawn(32)],
    "twilio-key": ["SK" + hexadecimal(32)],
    "sendgrid-key": ["SG" + "." + drawn(22) + "." + drawn(43)],
    "mailgun-key": ["key-" + hexadecimal(32)],
    "square-key": ["sq0" + "atp-" + drawn(22)],
    "shopify-token": ["shp" + "at_" + hexadecimal(32)],
    "model-provider-key": ["sk" + "-proj-" + drawn(48), "sk" + "-ant-api03-" + drawn(80)],
    "hugging-face-token": ["h" + "f_" + drawn(34)],
    "digitalocean-token": ["do" + "p_v1_" + hexadecimal(64)],
    "databricks-token": ["da" + "pi" + hexadecimal(32)],
    "vault-token": ["hv" + "s." + drawn(90)],
    "grafana-token": ["gl" + "sa_" + drawn(40)],
    "new-relic-key": ["NR" + "AK-" + drawn(27, string.ascii_uppercase + string.digits)],
    "age-key": ["AGE-" + "SECRET-KEY-1" + drawn(58, string.ascii_uppercase)],
    "json-web-token": ["ey" + "J" + drawn(20) + ".ey" + "J" + drawn(20) + "." + drawn(43)],
    "private-key": [
        "-----BEGIN RSA PRIV" + "ATE KEY-----\n" + drawn(64) + "\n-----END RSA PRIV" + "ATE KEY-----",
        "-----BEGIN PRIV" + "ATE KEY-----\\n" + drawn(64) + "\\n-----END PRIV" + "ATE KEY-----",
        "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\n" + drawn(64),
        "-----BEGIN PGP PRIV" + "ATE KEY BLOCK-----\n" + drawn(64),
    ],
    "putty-key": ["PuTTY-User-Key-File-2: ssh-rsa\n" + drawn(64)],
    "url-with-password": ["postgresql://clerk:Pebble931!x@db.internal/orders", "https://clerk:Pebble931!x@host.internal/a"],
    "connection-string": ["'Server=db;Uid=clerk;Pwd=Pebble931!x;'"],
    "bearer-token": ["Authorization: Bearer " + drawn(30)],
    "basic-authorization": ["Authorization: Basic Y2xlcms6UGViYmxlOTMx"],
    "password-hash": ["clerk:$apr1$" + drawn(8) + "$" + drawn(22), "$2b$12$" + drawn(53)],
    "netrc": ["machine host.internal login clerk password Pebble931!x"],
    "command-line": ["curl -u clerk:Pebble931!x https://host.internal"],
    "atlassian-token": ["AT" + "ATT3" + drawn(60)],
    "postman-key": ["PM" + "AK-" + hexadecimal(24) + "-" + hexadecimal(34)],
    "linear-key": ["lin" + "_api_" + drawn(40)],
    "session-cookie": ["Cookie: sessionid=" + drawn(32)],
    "assigned": [
        "password = 'Pebble931!x'",
        '{"api_key": "Pebble931!x"}',
        "connect(token='Pebble931!x')",
        "os.environ['SECRET'] = 'Pebble931!x'",
        "os.getenv('TOKEN', 'Pebble931!x')",
        "export DB_PASSWORD=Pebble931!x",
        "password: Pebble931!x",
        "# token = Pebble931!x",
        "client_secret: str = 'Pebble931!x'",
    ],
    "said": ["The access phrase is heron-48213-oak.", "the password for the door was Pebble931"],
    "hex-key": [f"signing_key = '{hexadecimal(64)}'"],
    "high-entropy": [f"x = '{drawn(40)}'"],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in FOUND.items() for text in texts])
def test_every_family_is_found_by_its_form(rule: str, text: str) -> None:
    """At the start of a text and inside a program."""
    for inside in (text, f"def f():\n    x = 1\n    # {text}\n"):
        assert f"secret/{rule}" in {name for name, _, _ in find_secrets(inside)}


def test_every_rule_has_an_example() -> None:
    """So that none is there for nothing."""
    assert {rule.name for rule in RULES} | {"secret/high-entropy"} == {f"secret/{rule}" for rule in FOUND}


@pytest.mark.parametrize(
    "text",
    [
        "return math.sqrt(x)",
        "np.array(x).sum()",
        "def add(a, b):\n    return a + b",
        "password = input('password: ')",
        "token = tokens[i]",
        "token = self.tokens2.next_token()",
        "password = 'your-password-here'",
        "api_key = 'YOUR_API_KEY'",
        "secret = os.environ['SECRET']",
        "password = '********'",
        "token = '%s'",
        "token = '{token}'",
        "password: str | None = None",
        "if token == 'number':",
        "digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        "alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'",
        "dna = 'ACGTACGTTTGACCAGATTACAGATTACACCGGTTAACCGGTT'",
        "class InvalidBase64PaddingDefectHandlerFactory2Test: pass",
        "https://docs.python.org/3/library/re.html#re.compile",
        "roman = {'M': 1000, 'CM': 900, 'D': 500, 'CD': 400}",
        "# Loop until the token is shifted; may raise an exception",
        "key = lambda pair: (pair[1], -pair[0])",
        "uuid = '123e4567-e89b-12d3-a456-426614174000'",
    ],
)
def test_code_that_only_looks_so_is_left_alone(text: str) -> None:
    """No finding of any rule."""
    assert list(find_secrets(text)) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_findings_lie_in_the_text(text: str) -> None:
    """Of any text."""
    assert all(
        0 <= start < end <= len(text) for _, start, end in find_secrets(text + " password='Pebble931!x' " + text) if end <= len(text)
    )


def test_what_is_drawn_at_random_looks_so_and_words_do_not() -> None:
    """Entropy is that of Shannon: a uniform alphabet of 2^b characters has b bits."""
    assert entropy("abcd" * 8) == 2.0
    assert is_random(drawn(40))
    assert not is_random("getNextAvailableWorkerIndexFromQueue2A")
    assert is_random_hex(hexadecimal(40))
    assert not is_random_hex("0" * 39 + "1")
    assert is_password("Pebble931!x")
    assert not is_password("example-password")
