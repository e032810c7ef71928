"""Personal data: addresses, numbers of phones, cards, accounts and persons.

A number counts where its check digits are right, or where words beside it say what it is; numbers that documents use as examples are no
one's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from knexa.exchange.guardrail.check_digits import (
    is_brazilian,
    is_chinese,
    is_french,
    is_german,
    is_italian,
    is_spanish,
    is_swiss,
    luhn,
    mod_97,
    verhoeff,
    weighted,
)
from knexa.exchange.guardrail.secrets import Hit


@dataclass(frozen=True, slots=True)
class _Rule:
    """``needs``: is in every text with a match, and quickly found. ``words``: whether it has words, which nothing has by accident."""

    name: str
    needs: re.Pattern[str]
    form: re.Pattern[str]
    check: Callable[[str], bool] | None = None
    words: bool = False


#: Numbers that makers of payment systems and documents use as examples.
_EXAMPLE_CARDS = frozenset(
    re.findall(
        r"\S+",
        "4111111111111111 4242424242424242 4012888888881881 5555555555554444 5105105105105100 378282246310005 371449635398431 "
        "6011111111111117 "
        "6011000990139424 30569309025904 38520000023237 3530111333300000 3566002020360505 4000056655665556 2223003122003222 "
        "4444333322221111 "
        "1234567812345670 0000000000000000",
    )
)


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    known = re.fullmatch(
        r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
        r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}",
        digits,
    )
    return bool(known) and digits not in _EXAMPLE_CARDS and len(set(digits)) > 3 and luhn(digits)


def _is_phone(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    example = "555" in digits[-10:-4] and digits[-4:-2] == "01"
    return 8 <= len(digits) <= 15 and len(set(digits)) > 3 and not example and "12345" not in digits and "98765" not in digits


_TOP_LEVEL = frozenset(
    re.findall(
        r"\S+",
        "com org net edu gov mil int info biz name pro io dev app ai co me tv cc xyz online site tech "
        "cloud email agency museum aero health bank "
        "ac ad ae af ag al am ao ar at au az ba bb bd be bf bg bh bj bn bo br bs bw by bz ca cd ch ci cl "
        "cm cn cr cu cy cz de dk do dz ec ee eg es "
        "et eu fi fj fr ga ge gh gr gt hk hn hr ht hu id ie il in iq ir is it jm jo jp ke kg kh kr kw kz "
        "la lb lk lt lu lv ly ma mc md mg mk ml mm "
        "mn mo mt mu mw mx my mz na ng ni nl no np nz om pa pe pg ph pk pl pr ps pt py qa ro rs ru rw sa "
        "sd se sg si sk sn so su sv sy th tj tm tn "
        "to tr tt tw tz ua ug uk us uy uz va ve vn ye za zm zw",
    )
)
_EXAMPLE_HOSTS = re.compile(
    r"(?i)(?:^|\.)(?:example\.(?:com|org|net|edu)|example|test|localhost|invalid|domain\.com|email\.com|company\.com|foo\.com|bar\.com)$"
)


def _is_email(found: str) -> bool:
    local, _, host = found.rpartition("@")
    top = host.rpartition(".")[2].lower()
    return (
        top in _TOP_LEVEL and not _EXAMPLE_HOSTS.search(host) and local.lower() not in ("self", "user", "git", "name", "noreply", "example")
    )


def _is_public_address(found: str) -> bool:
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and found not in _EXAMPLE_ADDRESSES and not _is_version(found)


#: Of public servers, and of documents.
_EXAMPLE_ADDRESSES = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "9.9.9.9", "1.2.3.4", "5.6.7.8", "4.3.2.1"})


def _is_version(found: str) -> bool:
    """Whether all four numbers are small: rather a version."""
    return max(map(int, found.split("."))) <= 12


def _is_ssn(found: str) -> bool:
    return found not in ("123-45-6789", "078-05-1120", "219-09-9999", "111-11-1111") and not found.startswith("987-65-43")


_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_STREETS = (
    r"(?:Street|St\.|Avenue|Ave\.?|Road|Rd\.?|Lane|Ln\.?|Drive|Dr\.|Boulevard|Blvd\.?|Court|Ct\.|Square|Terrace|Crescent|Close|Parkway)"
)

_AT = re.compile(r"\w@\w")
_PLUS = re.compile(r"\+\d")
_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){6}")
_DOTTED = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_IBAN = re.compile(r"[A-Z]{2}\d{2}")
_BRITISH = re.compile(r"[A-Z]{2} ?\d{2} ?\d{2}")
_ITALIAN = re.compile(r"[A-Z]{6}\d{2}")
_PASSPORT = re.compile(r"<<")
_STREET = re.compile(r"\d[A-Za-z]? [A-Z][a-z]")
_STRASSE = re.compile(r"(?:tra(?:ß|ss)e|tr\.|weg|platz|allee|gasse) \d")
_BIRTH = re.compile(r"(?i)born|birth|\bdob\b|geb")

_RULES: tuple[_Rule, ...] = (
    _Rule(
        "email",
        _AT,
        re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{2,63}){1,4}(?![\w-])"),
        _is_email,
        words=True,
    ),
    _Rule("phone", _PLUS, re.compile(r"(?<![\w)\]+.])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?!\w)"), _is_phone),
    _Rule("phone", _DIGITS, re.compile(r"(?<![\w(.-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w-])"), _is_phone),
    _Rule(
        "phone",
        _DIGITS,
        re.compile(
            r"(?i)\b(?:phone|tel|telephone|telefon|mobile|handy|cell|fax|call)(?:[ _]?(?:number|no"
            r"|nr))?\b[^\w\n+(]{1,6}([+(]?\d[\d ()./-]{6,18}\d)"
        ),
        _is_phone,
    ),
    _Rule("card", _DIGITS, re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w.-])"), _is_card),
    _Rule("iban", _IBAN, re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)"), mod_97, words=True),
    _Rule("identity-us", _DIGITS, re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"), _is_ssn),
    _Rule(
        "identity-gb",
        _BRITISH,
        re.compile(
            r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} "
            r"?[A-D](?!\w)"
        ),
        lambda one: "123456" not in one.replace(" ", ""),
    ),
    _Rule("identity-es", _DIGITS, re.compile(r"(?<!\w)[XYZ\d]\d{7}[TRWAGMYFPDXBNJZSQVHLCKE](?!\w)"), is_spanish),
    _Rule("identity-it", _ITALIAN, re.compile(r"(?<!\w)[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?!\w)"), is_italian),
    _Rule(
        "identity-fr",
        _DIGITS,
        re.compile(r"(?<!\w)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\w)"),
        is_french,
    ),
    _Rule("identity-br", _DIGITS, re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"), is_brazilian),
    _Rule("identity-in", _DIGITS, re.compile(r"(?<![\d-])[2-9]\d{3}[ -]\d{4}[ -]\d{4}(?![\d -]\d)"), verhoeff),
    _Rule(
        "identity-nl",
        _DIGITS,
        re.compile(r"(?i)\b(?:bsn|burgerservicenummer)\b\D{1,12}(\d{9}|\d{4}[ .]\d{2}[ .]\d{3})(?!\d)"),
        weighted((9, 8, 7, 6, 5, 4, 3, 2, -1), 11),
    ),
    _Rule("identity-pl", _DIGITS, re.compile(r"(?i)\bpesel\b\D{1,12}(\d{11})(?!\d)"), weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
    _Rule(
        "identity-de",
        _DIGITS,
        re.compile(r"(?i)\b(?:steuer[- ]?id\w*|steuernummer|idnr|tax id)\b\D{1,12}(\d{2} ?\d{3} ?\d{3} ?\d{3})(?!\d)"),
        is_german,
    ),
    _Rule("identity-ch", _DIGITS, re.compile(r"(?<![\w.])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\w.]\d)"), is_swiss),
    _Rule(
        "identity-cn",
        _DIGITS,
        re.compile(r"(?<!\w)[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)"),
        is_chinese,
    ),
    _Rule(
        "passport",
        _PASSPORT,
        re.compile(
            r"(?<![A-Z<])P[A-Z<][A-Z<]{3}[A-Z]{2,}<<[A-Z<]{10,36}"
            r"|[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[\d<]\d"
        ),
    ),
    _Rule("ip-address", _DOTTED, re.compile(r"(?<![\w.-])(?<!version )(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])"), _is_public_address),
    _Rule(
        "address",
        _STREET,
        re.compile(
            r"(?<!\w)\d{1,5}[A-Za-z]? (?:[A-Z][a-z'\u2019]+ ){1,3}"
            + _STREETS
            + r"(?!\w)(?:,? (?:Apt|Suite|Unit) \w+)?(?:,? [A-Z][a-z]+){0,2}(?:,? [A-Z]{2})?(?: \d{5}(?:-\d{4})?)?"
        ),
    ),
    _Rule(
        "address",
        _STRASSE,
        re.compile(
            r"(?<!\w)[A-ZÄÖÜ][a-zäöüß]{2,}(?:[- ]?(?:[Ss]traße|[Ss]trasse|[Ss]tr\.)|weg|platz|allee|gasse) "
            r"\d{1,4}[a-z]?(?!\w)(?:,? \d{5}(?: [A-ZÄÖÜ]\w+)?)?"
        ),
    ),
    _Rule(
        "birth-date",
        _BIRTH,
        re.compile(
            r"(?i)\b(?:born(?: on)?|date[ _]of[ _]birth|dob|birth[ _]?da(?:te|y)|geboren(?: am)?"
            r"|geburtsdatum)\b[^\w\n]{1,6}(\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}\.? "
            + _MONTHS
            + r",? \d{4}|"
            + _MONTHS
            + r" \d{1,2},? \d{4})"
        ),
    ),
)


def find_personal(text: str, *, words_only: bool = False) -> Iterator[Hit]:
    """Personal data in ``text`` as it stands. A number that two rules know is found by both. ``words_only``: only by rules of words."""
    needed: dict[re.Pattern[str], bool] = {}
    for rule in _RULES:
        if words_only and not rule.words:
            continue
        if rule.needs not in needed:
            needed[rule.needs] = rule.needs.search(text) is not None
        if not needed[rule.needs]:
            continue
        group = 1 if rule.form.groups else 0
        for match in rule.form.finditer(text):
            if rule.check is None or rule.check(match[group]):
                yield f"personal/{rule.name}", match.start(group), match.end(group)
