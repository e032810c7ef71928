"""Test equipment: hosts with links of their own (Linux network namespaces), which lose packets, are slow, or are cut.

Needs root, ``ip`` and ``tc`` (iproute2) and ``nft`` (nftables). Nothing of it is left when the context ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from knexa.service.local import Host

_BRIDGE = "knexa-br"


def available() -> bool:
    """Whether this machine lets us make hosts."""
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("ip", "tc", "nft")):
        return False
    try:
        _run("ip", "netns", "add", "knexa-try")
        _run("ip", "netns", "exec", "knexa-try", "nft", "add", "table", "inet", "try")
    except subprocess.CalledProcessError:
        return False
    finally:
        with suppress(subprocess.CalledProcessError):
            _run("ip", "netns", "del", "knexa-try")
    return True


class BadNetwork:
    """One host for each of ``names``, on one switch. ``loss``: share of packets that do not arrive at each. ``mbit``: rate of each link."""

    def __init__(self, names: Sequence[str], loss: float = 0.0, mbit: float | None = None) -> None:
        self._numbers = {name: number for number, name in enumerate(names, start=1)}
        self._loss, self._mbit = loss, mbit

    def __enter__(self) -> Self:
        self._remove()
        _run("ip", "link", "add", _BRIDGE, "type", "bridge")
        _run("ip", "link", "set", _BRIDGE, "up")
        for number in self._numbers.values():
            self._add(number)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    def hosts(self) -> dict[str, Host]:
        return {name: Host(f"10.77.0.{number}", ("ip", "netns", "exec", _space(number))) for name, number in self._numbers.items()}

    def cut(self, name: str) -> None:
        """From now on nothing gets through to or from ``name``."""
        _run("ip", "link", "set", f"{_space(self._numbers[name])}-a", "down")

    def mend(self, name: str) -> None:
        _run("ip", "link", "set", f"{_space(self._numbers[name])}-a", "up")

    def _add(self, number: int) -> None:
        space = _space(number)
        outer, inner = f"{space}-a", f"{space}-b"
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
        _run("ip", "link", "set", outer, "master", _BRIDGE, "up")
        for words in (
            ("ip", "addr", "add", f"10.77.0.{number}/24", "dev", inner),
            ("ip", "link", "set", inner, "up"),
            ("ip", "link", "set", "lo", "up"),
        ):
            _run("ip", "netns", "exec", space, *words)
        if self._mbit is not None:
            rate = ("tbf", "rate", f"{self._mbit}mbit", "burst", "32kbit", "latency", "400ms")
            _run("ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", inner, "root", *rate)
        if self._loss:
            drop = f'iifname "{inner}" numgen random mod 1000 < {round(1000 * self._loss)} drop'
            rules = f"table inet loss {{\n chain arriving {{\n type filter hook input priority 0;\n {drop}\n }}\n}}\n"
            _run("ip", "netns", "exec", space, "nft", "-f", "-", given=rules)

    def _remove(self) -> None:
        for number in self._numbers.values():
            # The link first: a namespace is taken down some time after it was deleted, and its links with it.
            for words in (("ip", "link", "del", f"{_space(number)}-a"), ("ip", "netns", "del", _space(number))):
                with suppress(subprocess.CalledProcessError):
                    _run(*words)
        with suppress(subprocess.CalledProcessError):
            _run("ip", "link", "del", _BRIDGE)


def _space(number: int) -> str:
    return f"knexa-{number}"


def _run(*words: str, given: str | None = None) -> None:
    subprocess.run(words, check=True, capture_output=True, input=given, text=True)
