"""Check digits of cards, accounts and persons: whether a number could be one."""

from __future__ import annotations

import re
from collections.abc import Callable


def luhn(number: str) -> bool:
    """ISO/IEC 7812: of cards."""
    digits = [int(one) for one in number if one.isdigit()][::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * one, 10)) for one in digits[1::2])) % 10 == 0


def mod_97(account: str) -> bool:
    """ISO 13616: of international bank account numbers."""
    plain = re.sub(r"\s", "", account).upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def verhoeff(number: str) -> bool:
    """The dihedral check of Verhoeff (1969): of Aadhaar numbers."""
    check = 0
    for place, one in enumerate(int(digit) for digit in reversed(number) if digit.isdigit()):
        for _ in range(place % 8):
            one = _PERMUTED[one]
        check = _dihedral(check, one)
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "NL", "FO", "GL"), 18),
    "MK": 19,
    "SI": 19,
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK"), 20),
    **dict.fromkeys(("HR", "LV", "LI", "CH"), 21),
    **dict.fromkeys(("BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    "PT": 25,
    "ST": 25,
    "IS": 26,
    "TR": 26,
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "CY", "DO", "GT", "HU", "LB", "PL", "SV", "BY"), 28),
    **dict.fromkeys(("BR", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU"), 30),
    "MT": 31,
    "SC": 31,
    "LC": 32,
    "RU": 33,
}


def weighted(weights: tuple[int, ...], modulus: int) -> Callable[[str], bool]:
    def check(found: str) -> bool:
        digits = [int(one) for one in found if one.isdigit()]
        if len(digits) != len(weights) or len(set(digits)) < 3:
            return False
        return sum(weight * one for weight, one in zip(weights, digits, strict=True)) % modulus == 0

    return check


_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_spanish(found: str) -> bool:
    number = found[:-1].translate(str.maketrans("XYZ", "012"))
    return number != "12345678" and len(set(number)) > 2 and _SPANISH[int(number) % 23] == found[-1]


_ODD_ITALIAN = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)


def is_italian(found: str) -> bool:
    def even(one: str) -> int:
        return int(one) if one.isdigit() else ord(one) - 65

    total = sum(_ODD_ITALIAN[one] if place % 2 == 0 else even(one) for place, one in enumerate(found[:15]))
    return chr(65 + total % 26) == found[15]


def is_french(found: str) -> bool:
    plain = re.sub(r"\s", "", found).replace("2A", "19").replace("2B", "18")
    return len(plain) == 15 and 97 - int(plain[:13]) % 97 == int(plain[13:])


def is_brazilian(found: str) -> bool:
    digits = [int(one) for one in found if one.isdigit()]
    for length in (9, 10):
        rest = sum((length + 1 - place) * one for place, one in enumerate(digits[:length])) * 10 % 11 % 10
        if rest != digits[length]:
            return False
    return len(set(digits)) > 2


def is_german(found: str) -> bool:
    """ISO 7064, mod 11, 10."""
    digits = [int(one) for one in found if one.isdigit()]
    product = 10
    for one in digits[:10]:
        product = ((one + product) % 10 or 10) * 2 % 11
    return len(digits) == 11 and digits[0] != 0 and (11 - product) % 10 == digits[10] and len(set(digits)) > 3


def is_chinese(found: str) -> bool:
    """ISO 7064, mod 11-2: of resident identity cards, with a date of birth inside."""
    total = sum(pow(2, 17 - place, 11) * int(one) for place, one in enumerate(found[:17]))
    return "10X98765432"[total % 11] == found[17].upper()


def is_swiss(found: str) -> bool:
    """EAN-13: of numbers of the old-age insurance."""
    digits = [int(one) for one in found if one.isdigit()]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
