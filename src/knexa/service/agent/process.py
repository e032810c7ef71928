"""``knexa agent join``: one process that runs one agent to the end of its federation. It opens a port, joins, and lets the shell live."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from knexa.config import FederationConfig, organisations
from knexa.errors import ConfigurationError, KnexaError
from knexa.exchange.ledger import LEDGER_FILE, Ledger
from knexa.exchange.seen_tickets import SeenTickets
from knexa.participant.contract import load_workplace
from knexa.protocol.agent import agent_of
from knexa.protocol.assembly import require_peers_only
from knexa.service.agent.connection import CpmConnection
from knexa.service.agent.consent import Consent
from knexa.service.agent.listening import Listener
from knexa.service.agent.ourselves import CoordinatorKey, Ourselves
from knexa.service.agent.policy import Policy, check_names, load_policy
from knexa.service.agent.shell import Shell
from knexa.service.agent.store import AgentStore, Memory
from knexa.service.agent.teachers_port import TeachersPort
from knexa.service.agent.workbench import Workbench
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.identity.grant import Address
from knexa.service.identity.trust import utc_now
from knexa.service.reachability import require_free
from knexa.service.relay.server import RelayService
from knexa.service.relay.switchboard import Switchboard
from knexa.service.settings import settings_hash
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import Server
from knexa.service.wire.route import Reach, RelayAt, told_address


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """``folder``: what the agent keeps. ``identity``: folder of its key and certificate. ``cpm``: HOST:PORT, and ``operator`` who runs it.

    ``listen``: HOST:PORT for its peers (None: it only dials out); ``reached_at``: under which address they reach it (None: where it
    listens). ``relay``: where peers call it otherwise. ``policy``: file of what the agent does not do (None: its terms alone hold).
    """

    config: FederationConfig
    folder: Path
    identity: Path
    cpm: str
    operator: str
    listen: str | None = None
    reached_at: str | None = None
    relay: RelayAt | None = None
    policy: Path | None = None
    workplace: str = "knexa.participant.workplace:LearningWorkplace"


def join(plan: AgentPlan, note: Callable[[str], None]) -> None:
    """Run until the federation is over and everything is reported. ``note`` gets lines for whoever watches."""
    require_peers_only(plan.config)
    _require_addresses(plan)
    credentials = Credentials(plan.identity)
    credentials.require_valid(utc_now())
    name = credentials.identity.name
    members = {agent: Identity(organisation, agent) for agent, organisation in organisations(plan.config).items()}
    if members.get(name) != credentials.identity:
        raise ConfigurationError(f"{plan.identity}: is {credentials.identity}, which is no agent of this federation.toml; see agents[]")
    policy = load_policy(plan.policy)
    check_names(policy, members)
    if plan.listen is not None:
        require_free(plan.listen, "--listen")
    place = load_workplace(plan.workplace, _under(policy, plan.config))
    bench = Workbench(name, plan.config, place, plan.folder)
    try:
        asyncio.run(_Process(plan, name, members, credentials, bench, policy, note).run())
    finally:
        bench.close()
        place.close()


def _require_addresses(plan: AgentPlan) -> None:
    """Raises ConfigurationError for one that is none, before a model is loaded: nobody would ever answer there."""
    Address.parse(plan.cpm, "--cpm")
    Identity(plan.operator, CPM)
    if plan.listen is not None:
        told_address(plan.listen, plan.reached_at)
    elif plan.reached_at is not None:
        raise ConfigurationError(f"--reached-at {plan.reached_at}: is an address of a port; say with --listen HOST:PORT which one")


def _under(policy: Policy, config: FederationConfig) -> FederationConfig:
    """What this agent's work goes by: everybody's settings, but for its own guardrail, and noise that no seed gives away."""
    drawn_here = config.privacy.model_copy(update={"noise": "system"})
    return config.model_copy(update={"guardrail": policy.guardrail_over(config.guardrail), "privacy": drawn_here})


class _Process:
    def __init__(
        self,
        plan: AgentPlan,
        name: str,
        members: Mapping[str, Identity],
        credentials: Credentials,
        bench: Workbench,
        policy: Policy,
        note: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._plan, self._name, self._members, self._credentials, self._bench, self._note = plan, name, members, credentials, bench, note
        self._store = AgentStore(plan.folder)
        self._cpm: CpmConnection | None = None
        self._ending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_end)
        memory = self._store.load() or await self._beginning()
        transfer_set = await self._bench.transfer_set()
        machine = agent_of(self._plan.config, self._name, transfer_set)
        consent = Consent(self._policy, self._name, self._members, memory)
        switchboard = Switchboard()
        with Ledger(self._plan.folder / LEDGER_FILE) as ledger:
            shell = Shell(self._name, machine, memory, self._store, self._bench, self._note, consent, ledger, switchboard)
            if not shell.over:  # else it was started again after its end: nobody needs to hear of it
                await self._take_part(shell, switchboard, transfer_set, memory.start)

    async def _take_part(self, shell: Shell, switchboard: Switchboard, transfer_set: str, start: bytes) -> None:
        cpm = self._cpm = CpmConnection(self._plan.cpm, Identity(self._plan.operator, CPM), self._credentials, self._note)
        server = Server(self._credentials, utc_now, self._note)
        with SeenTickets(self._plan.folder / "tickets", time.time()) as seen:
            port = TeachersPort(seen, shell.asked)
            port.add_to(server)
            RelayService(switchboard, shell.admit).add_to(server, calls=False)
            try:
                we = await self._enter(server, cpm, transfer_set, start)
                port.open(we)
                await shell.live(we, cpm, port, self._listener(port))
            finally:
                await server.stop(1.0)
                await cpm.close()

    def _listener(self, port: TeachersPort) -> Listener | None:
        """At the relay, if there is one."""
        relay = self._plan.relay
        return None if relay is None else Listener(relay.address, relay.identity, self._credentials, port, self._note)

    def _told_to_end(self) -> None:
        self._ending = self._ending or asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        """Nobody is to wait for this agent; then end at once.

        What is in hand begins again from what is on disk, and the thread in which the model works cannot be told to stop.
        """
        try:
            if self._cpm is not None:
                await self._cpm.leave()
        except KnexaError as error:
            self._note(f"nobody could be told goodbye: {error}")
        finally:
            self._note("stopped; the same command goes on where this ended")
            self._bench.close()
            os._exit(0)

    async def _beginning(self) -> Memory:
        learner = await self._bench.start()
        memory = Memory(learner, hashlib.sha256(learner).digest())
        self._store.save(memory)
        return memory

    async def _enter(self, server: Server, cpm: CpmConnection, transfer_set: str, start: bytes) -> Ourselves:
        """Listen for peers, then join: in this order, because the coordinator tells them where."""
        operator = Identity(self._plan.operator, CPM)
        reach = await self._reach(server)
        request = pb.JoinRequest(
            transfer_set=transfer_set, address=reach.address, config=settings_hash(self._plan.config), start=start, relay=reach.relay
        )
        federation = await cpm.join(request)
        signer = CoordinatorKey(operator, self._credentials.trust, federation.certificate)
        where = reach.address or (f"the relay {reach.relay}" if reach.relay else "no address; it calls them")
        self._note(f"joined federation {federation.federation_id} as {self._credentials.identity}; peers reach it at {where}")
        return Ourselves(federation.federation_id, self._name, self._members, self._credentials, signer, transfer_set)

    async def _reach(self, server: Server) -> Reach:
        """Open the port, if there is to be one."""
        plan = self._plan
        relay = str(plan.relay) if plan.relay else ""
        if plan.listen is None:
            return Reach("", relay)
        told = told_address(plan.listen, plan.reached_at)
        listening = await server.listen(plan.listen)
        return Reach(str(replace(told, port=told.port or listening)), relay)
