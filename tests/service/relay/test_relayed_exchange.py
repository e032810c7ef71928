"""An exchange by way of a relay: it works as a direct one does, and a relay that meddles gets nothing, and gives nothing false."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_federation import small

from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import SigningKey, VerifyingKey
from knexa.exchange.ticket import Ticket, sign_ticket
from knexa.matching.match import Match
from knexa.service.agent import exchange
from knexa.service.agent.exchange import learn_from
from knexa.service.agent.listening import Listener
from knexa.service.agent.ourselves import CoordinatorKey, Ourselves
from knexa.service.agent.teachers_port import TeachersPort
from knexa.service.identity import CPM, RELAY, Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.local import OPERATOR, provision
from knexa.service.relay.process import serve_relay
from knexa.service.relay.server import RelayService
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import Server
from knexa.service.wire.route import Route, Way

TRANSFER_SET = "a" * 64
MATCH = Match("r1-agent-1-agent-2", 1, "agent-1", "agent-2")
SECRET = "def answer():\n    return 42\n"


@dataclass
class Town:
    identities: dict[str, Path]

    def credentials(self, name: str) -> Credentials:
        return Credentials(self.identities[name])

    def agent(self, name: str) -> Ourselves:
        credentials = self.credentials(name)
        members = {one: Identity(one, one) for one in ("agent-1", "agent-2", "agent-3")}
        _, shown = self.credentials(CPM).current()
        key = CoordinatorKey(Identity(OPERATOR, CPM), credentials.trust, shown)
        return Ourselves("f-1", name, members, credentials, key, TRANSFER_SET)

    def ticket(self, student: str = "agent-2") -> bytes:
        keys = [VerifyingKey.from_certificate_pem(self.credentials(name).current()[1]).fingerprint for name in ("agent-1", student)]
        expires = int(time.time()) + 60
        ticket = Ticket("f-1", MATCH.match_id, 1, "agent-1", student, "text", TRANSFER_SET, *keys, 8, 100_000, expires)
        return sign_ticket(ticket, SigningKey.from_private_pem(self.credentials(CPM).current()[0]))


class Meddling(Switchboard):
    """Hands on what ``change`` makes of every call, and keeps what passes."""

    def __init__(self, change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._change, self.passed = change, b""

    async def call(self, to: Identity, certificate: bytes, method: pb.PeerMethod, body: bytes) -> pb.RelayedAnswer:
        shown, told = self._change(certificate, body)
        answer = await super().call(to, shown, method, told)
        self.passed += body + answer.body
        return answer


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(provision(small(), tmp_path / "identities"))


def exchanged(town: Town, board: Switchboard, tmp_path: Path) -> KnowledgePackage:
    """agent-2 learns from agent-1, which has no port, by way of a relay over ``board``."""

    def on_request(port: TeachersPort, student: str, request: KnowledgeRequest) -> None:
        port.answer(*port.waiting(MATCH), package(request))

    (learned,) = asyncio.run(asyncio.wait_for(_learned(town, board, tmp_path, ["agent-2"], on_request), 60.0))
    if isinstance(learned, BaseException):
        raise learned
    return learned


async def _learned(
    town: Town, board: Switchboard, tmp_path: Path, students: list[str], on_request: Callable[[TeachersPort, str, KnowledgeRequest], None]
) -> list[KnowledgePackage | BaseException]:
    """What each of ``students`` has of agent-1 under its ticket."""
    relay = Server(town.credentials(RELAY), utc_now, lambda line: None)
    RelayService(board).add_to(relay, calls=True)
    address = f"127.0.0.1:{await relay.listen('127.0.0.1:0')}"
    over = asyncio.Event()
    with SeenTickets(tmp_path / "tickets", time.time()) as seen:
        port = TeachersPort(seen, lambda student, request: on_request(port, student, request))
        port.open(town.agent("agent-1"))
        listener = Listener(address, Identity(OPERATOR, RELAY), town.credentials("agent-1"), port, lambda line: None)
        listening = asyncio.create_task(listener.listen(over))
        request, route = KnowledgeRequest(MATCH.match_id, ("p-1", "p-2"), 2), Route(Way.RELAY, address, OPERATOR)
        lessons = [learn_from(town.agent(one), "agent-1", route, Switchboard(), town.ticket(one), request) for one in students]
        try:
            return await asyncio.gather(*lessons, return_exceptions=True)
        finally:
            over.set()
            await listening
            await relay.stop(0.0)


def package(request: KnowledgeRequest) -> KnowledgePackage:
    return KnowledgePackage(request.match_id, TRANSFER_SET, dict.fromkeys(request.prompt_ids, SECRET))


def test_a_relay_carries_what_it_cannot_read(town: Town, tmp_path: Path) -> None:
    """The package arrives whole; neither a prompt's id nor a text is in what passed."""
    board = Meddling(lambda certificate, body: (certificate, body))
    assert exchanged(town, board, tmp_path).texts == {"p-1": SECRET, "p-2": SECRET}
    assert b"answer" not in board.passed
    assert b"p-1" not in board.passed
    assert len(board.passed) > 1000


@pytest.mark.parametrize("how", ["another's certificate", "no certificate", "flipped bits", "other bytes"])
def test_a_relay_that_meddles_is_refused(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """It can end an exchange, as any network can; it can neither become the student nor change what is said."""
    monkeypatch.setattr(exchange, "TRIES", 3)
    monkeypatch.setattr(exchange, "WAIT_S", 0.05)
    other = town.credentials("agent-3").current()[1]

    def change(certificate: bytes, body: bytes) -> tuple[bytes, bytes]:
        match how:
            case "another's certificate":
                return other, body
            case "no certificate":
                return b"", body
            case "flipped bits":
                at = len(body) // 2
                return certificate, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            case _:
                return certificate, b"\x0a\x03abc"

    with pytest.raises(PeerError):
        exchanged(town, Meddling(change), tmp_path)


def test_a_coordinator_that_gives_two_students_tickets_of_one_match_gets_one_of_them_a_package(town: Town, tmp_path: Path) -> None:
    """What the teacher has agreed to and vetted is for the student of its match; another ticket with the same match_id gets nothing."""
    asked: list[str] = []

    def on_request(port: TeachersPort, student: str, request: KnowledgeRequest) -> None:
        asked.append(student)
        if len(asked) == 2:
            for ticket in port.waiting(MATCH):
                port.answer(ticket, package(request))

    board = Meddling(lambda certificate, body: (certificate, body))
    lessons = _learned(town, board, tmp_path, ["agent-3", "agent-2"], on_request)
    refused, learned = asyncio.run(asyncio.wait_for(lessons, 60.0))
    assert sorted(asked) == ["agent-2", "agent-3"]
    assert isinstance(refused, PeerError)
    assert isinstance(learned, KnowledgePackage)
    assert learned.texts == {"p-1": SECRET, "p-2": SECRET}


def test_a_relay_listens_at_no_address_without_a_port(tmp_path: Path) -> None:
    """It would listen at a port that nobody has named."""
    with pytest.raises(ConfigurationError, match=r"^--listen: found '127.0.0.1'; allowed: HOST:PORT"):
        serve_relay(tmp_path, "127.0.0.1", lambda line: None)
