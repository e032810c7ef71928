"""An agent's entry: its port is open before anybody is told of it, and it tells an address that others can use."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from local_federation import WORKPLACE, small

from knexa.errors import ConfigurationError, PeerError, RunFolderError
from knexa.participant.contract import load_workplace
from knexa.service.agent.connection import CpmConnection
from knexa.service.agent.policy import load_policy
from knexa.service.agent.process import AgentPlan, _Process, join
from knexa.service.agent.workbench import Workbench
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.local import OPERATOR, provision
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import CPM_SERVICE, Server

TRANSFER_SET, START = "a" * 64, b"s" * 32


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def entered(tmp_path: Path, listen: str, reached_at: str | None, shown_by: str = CPM) -> tuple[str, bool]:
    """What the coordinator was told as the agent's address, and whether the agent's port was open by then."""
    identities = provision(small(), tmp_path / "identities")
    told: list[tuple[str, bool]] = []

    async def join(request: bytes, caller: Identity, certificate: bytes) -> bytes:
        port = int(listen.rpartition(":")[2])
        with socket.socket() as one:
            is_open = one.connect_ex(("127.0.0.1", port)) == 0
        told.append((pb.JoinRequest.FromString(request).address, is_open))
        _, shown = Credentials(identities[shown_by]).current()
        return pb.Federation(federation_id="f-1", certificate=shown).SerializeToString()

    async def run() -> None:
        coordinator = Server(Credentials(identities[CPM]), utc_now, lambda line: None)
        coordinator.serve(CPM_SERVICE, {"Join": join})
        address = f"127.0.0.1:{await coordinator.listen('127.0.0.1:0')}"
        credentials = Credentials(identities["agent-1"])
        plan = AgentPlan(small(), tmp_path / "agent", identities["agent-1"], address, OPERATOR, listen, reached_at, workplace=WORKPLACE)
        bench = Workbench("agent-1", small(), load_workplace(WORKPLACE, small()), plan.folder)
        process = _Process(plan, "agent-1", {}, credentials, bench, load_policy(None), lambda line: None)
        own = Server(credentials, utc_now, lambda line: None)
        cpm = CpmConnection(address, Identity(OPERATOR, CPM), credentials, lambda line: None)
        try:
            await process._enter(own, cpm, TRANSFER_SET, START)
        finally:
            await own.stop(0.0)
            await cpm.close()
            await coordinator.stop(0.0)
            bench.close()

    asyncio.run(run())
    return told[0]


def test_peers_are_told_where_the_agent_listens(tmp_path: Path) -> None:
    """Without another address, the one it listens at; and it listens before it says so."""
    listen = f"127.0.0.1:{free_port()}"
    assert entered(tmp_path, listen, None) == (listen, True)


def test_another_address_changes_what_is_told_and_not_that_the_port_is_open(tmp_path: Path) -> None:
    """Behind a gateway the address is another; the port has to be open all the same."""
    assert entered(tmp_path, f"127.0.0.1:{free_port()}", "clinic.example:7440") == ("clinic.example:7440", True)


def test_every_address_is_no_address(tmp_path: Path) -> None:
    """Who listens everywhere has to say where it is reached: peers cannot call 0.0.0.0."""
    with pytest.raises(ConfigurationError, match="--reached-at"):
        entered(tmp_path, f"0.0.0.0:{free_port()}", None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cpm": "not_an_address"}, "^--cpm: found 'not_an_address'; allowed: HOST:PORT"),
        ({"operator": "No One"}, "^organisation: found 'No One'"),
        ({"listen": "127.0.0.1"}, "^--listen: found '127.0.0.1'; allowed: HOST:PORT"),
        ({"listen": "127.0.0.1:0", "reached_at": "h"}, "^--reached-at: found 'h'; allowed: HOST:PORT"),
        ({"listen": "0.0.0.0:0"}, "--reached-at under which HOST:PORT"),
        ({"reached_at": "h:1"}, "say with --listen HOST:PORT which one"),
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_begins(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    """Nobody is called for ever at what is no address, no model is loaded, and nothing is written."""
    plan = AgentPlan(small(), tmp_path / "agent", tmp_path / "identity", "127.0.0.1:1", OPERATOR, workplace="no:workplace")
    with pytest.raises(ConfigurationError, match=sentence):
        join(replace(plan, **change), lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named_before_anything_begins(tmp_path: Path) -> None:
    """No model was loaded for it, and the agent's folder is not made."""
    identity = provision(small(), tmp_path / "identities")["agent-1"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        plan = AgentPlan(small(), tmp_path / "agent", identity, "127.0.0.1:1", OPERATOR, where, workplace="no:workplace")
        with pytest.raises(ConfigurationError, match=f"{where}: cannot be listened at .*; choose another --listen"):
            join(plan, lambda line: None)
    assert not (tmp_path / "agent").exists()


@pytest.mark.parametrize("folder", ["file", "file/agent"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, folder: str) -> None:
    """A file, or below one: a sentence with the option."""
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=rf"{folder}: cannot be used .*; choose another --dir"):
        Workbench("agent-1", small(), load_workplace(WORKPLACE, small()), tmp_path / folder)


def test_an_agents_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    """As soon as it is made."""
    Workbench("agent-1", small(), load_workplace(WORKPLACE, small()), tmp_path / "agent").close()
    assert (tmp_path / "agent").stat().st_mode & 0o077 == 0


def test_a_coordinator_that_shows_somebody_elses_certificate_is_refused(tmp_path: Path) -> None:
    """Tickets would be checked with the wrong key."""
    with pytest.raises(PeerError, match="not that of knexa://operator/cpm"):
        entered(tmp_path, f"127.0.0.1:{free_port()}", None, shown_by="agent-2")
