"""The doctor: a machine that is ready is told so, and whatever is missing is named with what to do."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from local_federation import WORKPLACE, Recorded, small

from knexa.service.cpm.journal import Journal
from knexa.service.cpm.leases import Leases
from knexa.service.cpm.server import CpmService, TicketTerms
from knexa.service.doctor import Finding, Patient, examine
from knexa.service.identity import CPM, Authority, Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.local import OPERATOR, provision
from knexa.service.settings import settings_hash
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import CPM_SERVICE, Server, channel
from knexa.service.wire.route import RelayAt


@pytest.fixture
def identities(tmp_path: Path) -> dict[str, Path]:
    return provision(small(), tmp_path / "identities")


@pytest.fixture
def patient(identities: dict[str, Path], tmp_path: Path) -> Patient:
    return Patient(small(), identities["agent-1"], tmp_path / "state", "127.0.0.1:0", None, None, workplace=WORKPLACE)


#: What the coordinator of a test is like: seconds that its clock is ahead, the transfer set of its agents, the hash of its settings.
LIKE = {"ahead": 0.0, "transfer_set": "", "config": settings_hash(small())}


@pytest.fixture
def like() -> Iterator[dict[str, Any]]:
    before = dict(LIKE)
    yield LIKE
    LIKE.update(before)


@pytest.fixture
def coordinator(identities: dict[str, Path], tmp_path: Path, like: dict[str, Any]) -> Iterator[str]:
    """The address of a real coordinator's service, which nobody has joined yet."""
    ready, over = Event(), Event()
    address: list[str] = []

    async def serve() -> None:
        credentials = Credentials(identities[CPM])
        server = Server(credentials, utc_now, lambda line: None)
        with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
            recorded = Recorded(journal)
            members = {agent.name: Identity(agent.name, agent.name) for agent in small().agents[:-1]}  # who is last is not let in
            terms, clock = TicketTerms("f-1", 8, 60.0), lambda: time.time() + like["ahead"]
            CpmService(recorded.conductor, members, credentials, terms, Leases(30.0), clock, lambda: None).add_to(server)
            recorded.conductor.transfer_set, recorded.conductor.config = like["transfer_set"], like["config"]
            await wait(server)

    async def wait(server: Server) -> None:
        address.append(f"127.0.0.1:{await server.listen('127.0.0.1:0')}")
        ready.set()
        await asyncio.to_thread(over.wait)
        await server.stop(0.0)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    yield address[0]
    over.set()
    thread.join()


def found(patient: Patient) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(patient)}


def test_a_machine_that_is_ready_is_told_so(patient: Patient, coordinator: str) -> None:
    """All checks, the call to the coordinator through both sides' certificates included."""
    findings = found(replace(patient, cpm=coordinator, operator=OPERATOR))
    assert [name for name, one in findings.items() if not one.fine] == []
    assert "lets knexa://agent-1/agent-1 in" in findings["coordinator"].what
    assert list(patient.folder.parent.glob("state")) == []


def test_a_port_that_is_taken_is_named(patient: Patient) -> None:
    """With the address, and all other checks are still made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        findings = found(replace(patient, listen=f"127.0.0.1:{port}"))
    assert not findings["port"].fine
    assert str(port) in findings["port"].what
    assert [name for name, one in findings.items() if not one.fine] == ["port"]


@pytest.mark.parametrize("folder", ["file", "file/agent"])
def test_a_folder_that_cannot_be_made_is_named(patient: Patient, tmp_path: Path, folder: str) -> None:
    """A file, or below one, however much room is on its disk."""
    (tmp_path / "file").touch()
    disk = found(replace(patient, folder=tmp_path / folder))["disk"]
    assert not disk.fine
    assert f"{tmp_path / 'file'}: is no folder that can be written to; choose another --dir" in disk.what


def test_an_organisation_that_is_not_trusted_is_named(patient: Patient) -> None:
    """By its name, with the command that mends it."""
    Credentials(patient.identity).trust.dismiss("agent-3")
    findings = found(patient)
    assert "agent-3" in findings["participants"].what
    assert "knexa provision trust" in findings["participants"].what


def test_nobody_at_the_address_is_told_from_somebody_else(patient: Patient, coordinator: str, identities: dict[str, Path]) -> None:
    """A closed port, a port of something else, and another coordinator than the expected one, are three things."""
    nobody = found(replace(patient, cpm="127.0.0.1:1", operator=OPERATOR))["coordinator"]
    assert "nobody answers" in nobody.what
    with socket.create_server(("127.0.0.1", 0)) as silent:
        other = found(replace(patient, cpm=f"127.0.0.1:{silent.getsockname()[1]}", operator=OPERATOR))["coordinator"]
    assert "is it the right port?" in other.what
    wrong = found(replace(patient, cpm=coordinator, operator="agent-2"))["coordinator"]
    assert "is not knexa://agent-2/cpm" in wrong.what
    assert not any(one.fine for one in (nobody, other, wrong))


def test_a_coordinator_that_does_not_trust_us_is_told(patient: Patient, coordinator: str, identities: dict[str, Path]) -> None:
    """TLS fails on its side; the sentence says whom to ask for what."""
    Credentials(identities[CPM]).trust.dismiss("agent-1")
    finding = found(replace(patient, cpm=coordinator, operator=OPERATOR))["coordinator"]
    assert not finding.fine
    assert "agent-1" in finding.what


def test_somebody_elses_certificate_is_no_participant(patient: Patient, tmp_path: Path) -> None:
    """An identity that agents[] does not name cannot join, and is told so before it tries."""
    authority = Authority.open(tmp_path / "identities" / "ca-agent-1")
    from knexa.service.identity.agent_folder import AgentFolder

    folder = AgentFolder.create(tmp_path / "other", authority.member("visitor"))
    folder.install(authority.grant(authority.issue(folder.request(), "visitor", utc_now(), folder=folder.path)), utc_now())
    finding = found(replace(patient, identity=folder.path))["participants"]
    assert "knexa://agent-1/visitor is no agent" in finding.what


def test_who_only_dials_out_is_told_what_that_means(patient: Patient, identities: dict[str, Path], coordinator: str) -> None:
    """No port is tried; a relay is called as who it should be: here a coordinator stands where the relay should."""
    found = {finding.check: finding for finding in examine(replace(patient, listen=None))}
    assert found["port"].fine
    assert "only dials out" in found["port"].what
    relay = RelayAt(OPERATOR, coordinator)
    found = {finding.check: finding for finding in examine(replace(patient, listen=None, relay=relay))}
    assert not found["relay"].fine
    assert f"is not knexa://{OPERATOR}/relay" in found["relay"].what


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ahead", 120.0, r"clocks are \+120 s apart: set both by NTP"),
        ("ahead", -3600.0, r"clocks are -3600 s apart"),
        ("transfer_set", "b" * 64, "transfer set bbbbbbbbbbbbbbbb, this one aaaaaaaaaaaaaaaa"),
        ("config", "c" * 64, "settings are cccccccccccccccc"),
    ],
)
def test_what_both_sides_must_have_alike_is_compared(
    patient: Patient, like: dict[str, Any], request: pytest.FixtureRequest, key: str, value: Any, said: str
) -> None:
    """Clock, settings, problems: whatever differs is named, with both values and what to do."""
    like[key] = value
    finding = found(replace(patient, cpm=request.getfixturevalue("coordinator"), operator=OPERATOR))["agreement"]
    assert not finding.fine
    assert re.search(said, finding.what)


def test_who_is_alike_is_told_how_far_the_clocks_are_apart(patient: Patient, like: dict[str, Any], request: pytest.FixtureRequest) -> None:
    like["transfer_set"] = "a" * 64
    finding = found(replace(patient, cpm=request.getfixturevalue("coordinator"), operator=OPERATOR))["agreement"]
    assert finding.fine
    assert re.search(r"clocks \d\.\d s apart", finding.what)


def test_an_agent_is_told_whether_it_can_be_called(patient: Patient, coordinator: str) -> None:
    """Reached where it listens; not where something else does or nobody, although there it takes as long to hear so."""
    asked = replace(patient, cpm=coordinator, operator=OPERATOR)
    assert "reaches this agent at 127.0.0.1" in found(asked)["called back"].what
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 1):
            away = found(replace(asked, reached_at=f"127.0.0.1:{port}"))["called back"]
            assert not away.fine
            assert f"does not reach this agent at 127.0.0.1:{port}" in away.what
            assert away.seconds > 4
    assert found(replace(asked, listen=None))["called back"].fine


def test_a_running_agent_is_found_at_its_port(patient: Patient, coordinator: str, identities: dict[str, Path]) -> None:
    """The doctor cannot listen there itself; somebody else at that port is not taken for the agent."""
    for name, fine in {"agent-1": True, "agent-2": False}.items():
        ready, over = Event(), Event()
        port: list[int] = []

        async def running(name: str, ready: Event, over: Event, port: list[int]) -> None:
            server = Server(Credentials(identities[name]), utc_now, lambda line: None)
            port.append(await server.listen("127.0.0.1:0"))
            ready.set()
            await asyncio.to_thread(over.wait)
            await server.stop(0.0)

        thread = Thread(target=lambda *those: asyncio.run(running(*those)), args=(name, ready, over, port))
        thread.start()
        try:
            assert ready.wait(10)
            asked = replace(patient, cpm=coordinator, operator=OPERATOR, listen=f"127.0.0.1:{port[0]}")
            assert found(asked)["called back"].fine is fine
        finally:
            over.set()
            thread.join()


def test_only_participants_are_called_back(identities: dict[str, Path], coordinator: str) -> None:
    """And only at addresses: whoever else asks is refused, and so is what is no address."""

    async def ask(name: str, address: str) -> str:
        async with channel(coordinator, Identity(OPERATOR, CPM), Credentials(identities[name])) as line:
            call: Any = line.unary_unary(f"/{CPM_SERVICE}/CallBack")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(pb.CallBackRequest(address=address).SerializeToString(), timeout=10)
            return str(refused.value.details())

    assert "is no HOST:PORT" in asyncio.run(ask("agent-1", "file:///etc/passwd"))
    assert "is no HOST:PORT" in asyncio.run(ask("agent-1", ""))
    assert "is no participant" in asyncio.run(ask(small().agents[-1].name, "127.0.0.1:1"))
