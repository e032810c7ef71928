"""Headers of licences and copyright notices: a text that reproduces one reproduces somebody's file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from knexa.exchange.guardrail.secrets import Hit

_RULES = (
    ("licence/spdx", ("spdx-license",), re.compile(r"SPDX-License-Identifier:\s*[\w.+() -]+", re.I)),
    (
        "licence/copyright",
        ("copyright", "©", "(c)"),
        re.compile(
            # whitespace stands once between two signs: several in a row would be tried in every division of it
            r"(?:copyright\s*(?:(?:\(c\)|©)\s*)?|\(c\)\s*copyright\s*|©\s*)(?:,\s*)?(?:19|20)\d\d(?:\s*[-,]\s*(?:19|20)?\d\d)*"
            r"[ ,]+[^\n]{2,100}",
            re.I,
        ),
    ),
    ("licence/all-rights-reserved", ("all rights reserved",), re.compile(r"all rights reserved", re.I)),
    (
        "licence/header",
        (
            "licen",
            "permission is hereby",
            "redistribution and use",
            "without warranty",
            "as is",
            "gnu ",
            "this software is",
            "this program is",
            "this file is",
        ),
        re.compile(
            r"licensed under the (?:apache|mit|bsd|mozilla|gnu|gpl|lgpl|academic|eclipse|creative commons)[^\n]*"
            r"|permission is hereby granted, free of charge[^\n]*"
            r"|redistribution and use in source and binary forms[^\n]*"
            r"|(?:under the terms of|version \d of) the\s+(?:gnu\s+)?(?:lesser |affero )?(?:gnu )?general public license[^\n]*"
            r"|gnu (?:lesser |affero )?general public license[^\n]*"
            r"|mozilla public license,? v(?:ersion|\.)[^\n]*"
            r"|this (?:software|program|file) is (?:provided|distributed|licensed|free software)[^\n]*"
            r"|provided [\"']as is[\"'],? without warranty[^\n]*"
            r"|boost software license[^\n]*",
            re.I,
        ),
    ),
)


def find_licences(text: str) -> Iterator[Hit]:
    """Comment signs and line breaks inside a header do not matter: each line that belongs to one is found by itself."""
    low = text.lower()
    for name, literals, form in _RULES:
        if any(one in low for one in literals):
            for match in form.finditer(text):
                yield name, match.start(), match.end()
