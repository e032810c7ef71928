"""Licences and copyright notices."""

from __future__ import annotations

import pytest

from knexa.exchange.guardrail.licences import find_licences


@pytest.mark.parametrize(
    "text",
    [
        "# SPDX-License-Identifier: GPL-2.0-only",
        "# Copyright (c) 2019 Somebody and others",
        "// © 2021 A Company GmbH",
        "# Licensed under the Apache License, Version 2.0",
        "# Permission is hereby granted, free of charge, to any person",
        "# Redistribution and use in source and binary forms",
        "# This program is free software: you can redistribute it",
        "# under the terms of the GNU General Public License",
        "# This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.",
        "# All rights reserved.",
    ],
)
def test_a_header_is_found(text: str) -> None:
    """In a comment, before code."""
    assert list(find_licences(text + "\ndef f(): ..."))


@pytest.mark.parametrize("text", ["def license_plate(n): ...", "copyright = None", "(c) = a + b", "mit = 3", "is_licensed = True"])
def test_a_word_alone_is_no_header(text: str) -> None:
    """Names of a program pass."""
    assert list(find_licences(text)) == []
