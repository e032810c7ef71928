"""The port: only who is trusted gets in, under its own name, and a channel opens to the expected party only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from grpc import aio

from knexa.errors import PeerError
from knexa.service.identity import Authority, Credentials, Identity
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.trust import utc_now
from knexa.service.wire import endpoints
from knexa.service.wire.callers import A_MINUTE
from knexa.service.wire.endpoints import Seldom, Server, channel

METHOD = "/knexa.test.Echo/Say"


class Town:
    """Two organisations that trust each other, and one that nobody trusts; each has an agent."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, utc_now()
        self.authorities = {name: Authority.create(folder / f"ca-{name}", name, self.now) for name in ("north", "south", "stranger")}
        for one, other in (("north", "south"), ("south", "north")):
            self.authorities[one].trust.admit(self.authorities[other].trust.root_pem(other), other, self.now)

    def agent(self, organisation: str, name: str, lifetime: timedelta = timedelta(hours=12)) -> Credentials:
        authority = self.authorities[organisation]
        folder = AgentFolder.create(self.folder / organisation / name, authority.member(name))
        certificate = authority.issue(folder.request(), name, self.now, lifetime, folder.path)
        folder.install(authority.grant(certificate), self.now)
        return Credentials(folder.path)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def with_server(credentials: Credentials, use: Callable[[str, Server], Awaitable[None]]) -> Server:
    """Run ``use`` beside a server that answers with the caller's identity, and refuses the word 'bad'."""

    async def say(request: bytes, caller: Identity, certificate: bytes) -> bytes:
        if request == b"bad":
            raise PeerError("that is no word")
        return str(caller).encode()

    async def run() -> Server:
        server = Server(credentials, utc_now, lambda line: None)
        server.serve("knexa.test.Echo", {"Say": say})
        port = await server.listen("127.0.0.1:0")
        try:
            await use(f"127.0.0.1:{port}", server)
        finally:
            await server.stop(0.0)
        return server

    return asyncio.run(run())


async def said(line: aio.Channel, word: bytes = b"hello") -> bytes:
    async with line:
        return await line.unary_unary(METHOD)(word, timeout=5.0)


async def refusal(line: aio.Channel, word: bytes = b"hello") -> grpc.StatusCode:
    with pytest.raises(aio.AioRpcError) as caught:
        await said(line, word)
    return caught.value.code()


def test_a_caller_is_who_its_certificate_says(town: Town) -> None:
    """The method hears the verified identity, of whichever trusted organisation."""
    server, caller = town.agent("north", "cpm"), town.agent("south", "clinic-1")

    async def use(address: str, _: Server) -> None:
        assert await said(channel(address, server.identity, caller)) == b"knexa://south/clinic-1"

    assert with_server(server, use).refused == {"identity": 0, "message": 0, "often": 0}


def test_who_is_not_trusted_does_not_get_in(town: Town) -> None:
    """Plaintext, no certificate, an authority that nobody admitted, TLS 1.2's caller without a key: nothing reaches a method."""
    server, stranger = town.agent("north", "cpm"), town.agent("stranger", "clinic-1")
    town.authorities["stranger"].trust.admit(town.authorities["north"].trust.root_pem("north"), "north", town.now)
    trusting = AgentFolder(stranger.trust.folder.parent)
    trusting.install(town.authorities["stranger"].grant(None), town.now)
    root = server.trust.root_pem("north")

    async def use(address: str, _: Server) -> None:
        assert await refusal(aio.insecure_channel(address)) is grpc.StatusCode.UNAVAILABLE
        override = (("grpc.ssl_target_name_override", server.identity.dns),)
        nobody = aio.secure_channel(address, grpc.ssl_channel_credentials(root), options=override)
        assert await refusal(nobody) is grpc.StatusCode.UNAVAILABLE
        assert await refusal(channel(address, server.identity, stranger)) is grpc.StatusCode.UNAVAILABLE

    with_server(server, use)


def test_a_revoked_caller_is_refused_on_its_next_call(town: Town) -> None:
    """TLS alone would still let it in; the list of what was taken back is read on every call, also over an open connection."""
    server, caller = town.agent("north", "cpm"), town.agent("south", "clinic-1")

    async def use(address: str, _: Server) -> None:
        async with channel(address, server.identity, caller) as line:
            say = line.unary_unary(METHOD)
            assert await say(b"hello", timeout=5.0) == b"knexa://south/clinic-1"
            town.authorities["south"].revoke("clinic-1", utc_now())
            published = town.authorities["south"].trust.list_pem("south")
            assert published is not None
            assert server.trust.admit_list(published)
            with pytest.raises(aio.AioRpcError) as caught:
                await say(b"hello", timeout=5.0)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    assert with_server(server, use).refused["identity"] == 1


def test_a_channel_opens_to_the_expected_party_only(town: Town) -> None:
    """Another agent of the same organisation, and one of the same name in another organisation, are both somebody else."""
    server, caller = town.agent("north", "clinic-1"), town.agent("south", "clinic-2")

    async def use(address: str, _: Server) -> None:
        for expected in (Identity("north", "clinic-9"), Identity("south", "clinic-1")):
            assert await refusal(channel(address, expected, caller)) is grpc.StatusCode.UNAVAILABLE
        assert await said(channel(address, Identity("north", "clinic-1"), caller)) == b"knexa://south/clinic-2"

    with_server(server, use)


def test_a_fault_of_the_caller_is_told_and_counted(town: Town) -> None:
    """A PeerError becomes a refusal with its sentence, and the server goes on."""
    server, caller = town.agent("north", "cpm"), town.agent("south", "clinic-1")

    async def use(address: str, _: Server) -> None:
        assert await refusal(channel(address, server.identity, caller), b"bad") is grpc.StatusCode.FAILED_PRECONDITION
        assert await said(channel(address, server.identity, caller)) == b"knexa://south/clinic-1"

    assert with_server(server, use).refused == {"identity": 0, "message": 1, "often": 0}


def test_a_message_that_is_too_large_is_refused_before_it_is_read(town: Town) -> None:
    """Five megabytes never reach the method."""
    server, caller = town.agent("north", "cpm"), town.agent("south", "clinic-1")

    async def use(address: str, _: Server) -> None:
        assert await refusal(channel(address, server.identity, caller), bytes(5 * 2**20)) is grpc.StatusCode.RESOURCE_EXHAUSTED

    with_server(server, use)


def test_an_organisation_that_is_admitted_gets_in_without_a_restart(town: Town) -> None:
    """The next connection is judged by the roots of then."""
    server, stranger = town.agent("north", "cpm"), town.agent("stranger", "clinic-1")
    town.authorities["stranger"].trust.admit(town.authorities["north"].trust.root_pem("north"), "north", town.now)
    AgentFolder(stranger.trust.folder.parent).install(town.authorities["stranger"].grant(None), town.now)

    async def use(address: str, _: Server) -> None:
        assert await refusal(channel(address, server.identity, stranger)) is grpc.StatusCode.UNAVAILABLE
        server.trust.admit(town.authorities["stranger"].trust.root_pem("stranger"), "stranger", town.now)
        assert await said(channel(address, server.identity, stranger)) == b"knexa://stranger/clinic-1"

    with_server(server, use)


def test_who_floods_a_port_is_told_to_wait_and_others_are_served(town: Town) -> None:
    """Beyond its share of calls a caller hears a status of its own, is counted, and fills no log; another caller notices nothing."""
    flooder, other = town.agent("south", "clinic-1"), town.agent("south", "clinic-2")

    async def use(address: str, server: Server) -> None:
        expected = Identity("north", "cpm")
        async with channel(address, expected, flooder) as line:
            codes = await asyncio.gather(*(code_of(line) for _ in range(A_MINUTE + 200)))
        assert codes.count(grpc.StatusCode.OK) <= A_MINUTE + 20
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) > 100
        assert await said(channel(address, expected, other)) == b"knexa://south/clinic-2"

    async def code_of(line: aio.Channel) -> grpc.StatusCode:
        try:
            await line.unary_unary(METHOD)(b"hello", timeout=20.0)
        except aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    server = with_server(town.agent("north", "cpm"), use)
    assert server.refused["often"] > 100


def test_the_same_line_is_said_once_in_ten_minutes() -> None:
    """Whoever is refused every few seconds fills no log; another line, and the same one later, are said."""
    said: list[str] = []
    now = [0.0]
    seldom = Seldom(said.append, seconds=600.0, clock=lambda: now[0])
    for now[0] in (0.0, 5.0, 599.0):
        seldom("refused")
    seldom("another")
    now[0] = 700.0
    seldom("refused")
    assert said == ["refused", "another", "refused"]
    for number in range(10_000):
        seldom(f"made-up name {number}", "knexa://south/noisy")
    assert len(said) < 30
    seldom("refused", "knexa://south/quiet")
    assert said[-1] == "refused"


def test_tls_is_set_up_anew_for_what_is_new_only(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred connections share one configuration; a renewed certificate makes another, which the next caller sees."""
    made: list[bytes] = []
    plain = endpoints._configuration

    def counted(pair: tuple[bytes, bytes], roots: bytes) -> grpc.ServerCertificateConfiguration:
        made.append(pair[1])
        return plain(pair, roots)

    monkeypatch.setattr(endpoints, "_configuration", counted)
    server, caller = town.agent("north", "cpm"), town.agent("south", "clinic-1")

    async def use(address: str, _: Server) -> None:
        for _ in range(10):
            answers = await asyncio.gather(*(said(channel(address, server.identity, caller)) for _ in range(10)))
            assert answers == [b"knexa://south/clinic-1"] * 10
        assert len(made) == 1
        folder, authority = AgentFolder(server.folder), town.authorities["north"]
        folder.install(authority.grant(authority.issue(folder.request(), "cpm", utc_now(), folder=folder.path)), utc_now())
        assert await said(channel(address, server.identity, caller)) == b"knexa://south/clinic-1"
        assert len(made) == 2
        assert made[1] == server.current()[1] != made[0]

    with_server(server, use)
