"""Personal data, by check digits or by the words beside it; examples of documents are no one's."""

from __future__ import annotations

import re

import pytest

from knexa.exchange.guardrail.check_digits import luhn, mod_97, verhoeff
from knexa.exchange.guardrail.personal import find_personal

FOUND = {
    "email": ["write to jane.roe@clinic.org", "'j_roe+lab@mail.uni-ulm.de'"],
    "phone": ["+44 20 7946 3958", "(212) 664-7665", "phone: 030 9018 2077", "tel = '0171/8043597'"],
    "card": ["4539 1488 0343 6467", "card=5425233430109903"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
    "identity-us": ["536-90-4399"],
    "identity-gb": ["JG 10 37 59 A", "JG103759A"],
    "identity-es": ["54362315K"],
    "identity-it": ["RSSMRA85T10A562S"],
    "identity-fr": ["2 55 08 14 168 025 38"],
    "identity-br": ["529.982.247-25"],
    "identity-in": ["9999 4105 7058"],
    "identity-nl": ["BSN: 111222333"],
    "identity-pl": ["PESEL 44051401359"],
    "identity-de": ["Steuer-ID: 86 095 742 719"],
    "identity-ch": ["756.9217.0769.85"],
    "identity-cn": ["11010519491231002X"],
    "passport": ["P<USASMITH<<JOHN<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"],
    "ip-address": ["host = '93.184.216.34'"],
    "address": ["12 Elm Grove Street, Springfield, IL 62704", "Hauptstraße 12, 10115 Berlin"],
    "birth-date": ["born on 12 March 1984", "date_of_birth = '1984-03-12'", "DOB: 12/03/1984"],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in FOUND.items() for text in texts])
def test_every_kind_is_found(rule: str, text: str) -> None:
    """Alone and inside a program."""
    for inside in (text, f"def f():\n    x = 1\n    # {text}\n"):
        assert f"personal/{rule}" in {name for name, _, _ in find_personal(inside)}


CHECKED = ("card", "iban", "identity-es", "identity-it", "identity-fr", "identity-br", "identity-in", "identity-nl", "identity-pl",
           "identity-de", "identity-ch", "identity-cn")  # fmt: skip


@pytest.mark.parametrize("rule", CHECKED)
def test_a_number_with_one_digit_changed_is_no_ones(rule: str) -> None:
    """Check digits are checked: of the nine other digits at one place, hardly one fits."""
    text = FOUND[rule][0]
    place = [one.start() for one in re.finditer(r"\d", text)][-2]
    others = [text[:place] + str(digit) + text[place + 1 :] for digit in range(10) if str(digit) != text[place]]
    still = [one for one in others if f"personal/{rule}" in {name for name, _, _ in find_personal(one)}]
    assert len(still) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "return math.sqrt(x)",
        "np.array(x).sum()",
        "mail user@example.com or a@b.test",
        "@decorator\ndef f(self): ...",
        "matrix @ vector.T",
        "host = '127.0.0.1' or '192.168.1.7' or '10.0.0.3' or '0.0.0.0' or '255.255.255.255'",
        "address = '203.0.113.9'",
        "version = '1.2.3.4'",
        "call 555-0123",
        "card = '4111 1111 1111 1111'",
        "assert f(1234567890123456) == 4",
        "primes = [1000000007, 998244353]",
        "x = 3.14159265358979",
        "range(1000, 2000, 30)",
        "timestamp = 1700000000000",
        "dates = ['2024-01-31', '12/10/2020']",
        "isbn = '978-3-16-148410-0'",
        "f(3, 4, 5) == '3-4-5'",
    ],
)
def test_code_and_examples_of_documents_are_left_alone(text: str) -> None:
    """No finding of any rule."""
    assert list(find_personal(text)) == []


def test_check_digits_are_those_of_the_standards() -> None:
    """Published numbers of ISO 7812, ISO 13616 and Verhoeff's example."""
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert mod_97("GB82 WEST 1234 5698 7654 32")
    assert not mod_97("GB82 WEST 1234 5698 7654 33")
    assert verhoeff("2363")
    assert not verhoeff("2364")
