"""Two participants in processes of their own, with nothing in common but what is relayed between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from exchange_parties import CPM, MARKER, TICKET

from knexa.exchange.signing import VerifyingKey
from knexa.exchange.ticket import sign_ticket


class Peer:
    """A participant in a process of its own; ``lines`` is everything that passed through the pipe, as a relay would see it."""

    def __init__(self, name: str, folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        program = Path(__file__).parents[1] / "equipment" / "exchange_process.py"
        command = [sys.executable, str(program), name, MARKER, str(folder)]
        self.name, self.lines = name, list[str]()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self) -> Peer:
        self.key = self.hear()
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            pass  # closes its stdin, which ends it

    def tell(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.lines.append(json.dumps(words))
        self.process.stdin.write(self.lines[-1] + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        self.lines.append(self.process.stdout.readline())
        return json.loads(self.lines[-1])

    def do(self, *words: object) -> Any:
        self.tell(*words)
        return self.hear()


def _exchange(teacher: Peer, student: Peer, keys: dict[str, str], round: int) -> dict[str, tuple[str, ...]]:
    """One exchange, relayed, as it should go. Each step with what the relay passed on for it."""
    names = {"match_id": f"r{round}", "round": round, "teacher": teacher.name, "student": student.name}
    ticket = replace(TICKET, **names, teacher_key=keys[teacher.name], student_key=keys[student.name])
    token = sign_ticket(ticket, CPM).hex()
    teacher_offer, student_offer = teacher.do("open", token, "teacher"), student.do("open", token, "student")
    request = student.do("ask", teacher_offer)
    package, sent = teacher.do("teach", student_offer, request)
    assert student.do("receive", package) == [4, sent]
    return {"open": (token, "teacher"), "teach": (student_offer, request), "receive": (package,)}


def test_two_processes_teach_each_other_and_their_relay_reads_nothing(tmp_path: Path) -> None:
    """Each is teacher once and student once; no marker of their texts passes the relay, and nothing that it recorded is taken again."""
    with ExitStack() as stack:
        a, b = (stack.enter_context(peer) for peer in [Peer("a", tmp_path), Peer("b", tmp_path)])
        a.tell(CPM.public_bytes.hex(), "b", b.key)
        b.tell(CPM.public_bytes.hex(), "a", a.key)
        keys = {name: VerifyingKey.from_public_bytes(bytes.fromhex(key)).fingerprint for name, key in (("a", a.key), ("b", b.key))}
        first, second = _exchange(a, b, keys, 1), _exchange(b, a, keys, 2)
        for peer, step, recorded, words in (
            (b, "teach", first, "signature"),
            (b, "teach", second, "gone"),
            (a, "receive", first, "signature"),
            (a, "receive", second, "gone"),
            (a, "open", first, "served already"),
            (b, "open", second, "served already"),
        ):
            assert words in peer.do(step, *recorded[step])["refused"]
    relayed = "".join(a.lines + b.lines)
    assert len(relayed) > 4 * 2 * 1216
    assert MARKER not in relayed
    assert MARKER.encode().hex() not in relayed
    assert a.process.returncode == b.process.returncode == 0
