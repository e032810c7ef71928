"""``knexa doctor``: what would keep this machine from taking part, found before it does, each with what to do.

Every check does what the agent will do later: it reads the credentials, listens at the port, calls the coordinator through TLS, runs a
program in the sandbox, loads the model. None of them changes anything, here or at the coordinator.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from knexa.config import FederationConfig, organisations
from knexa.errors import ConfigurationError, CredentialsError, KnexaError, PeerError
from knexa.evaluation.sandbox import Sandbox
from knexa.participant.contract import load_workplace
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.reachability import called_back, greeted, let_in, require_free
from knexa.service.settings import settings_hash
from knexa.service.wire.route import RelayAt, told_address

#: Free space that an agent wants for its model's states, in bytes.
LEAST_FREE = 256 * 2**20
#: So many seconds clocks may be apart: certificates and tickets allow for some.
CLOCKS_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """``what``: what was found; where ``fine`` is false also what to do. ``seconds``: how long the check took."""

    check: str
    fine: bool
    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. ``cpm`` and ``operator``: the coordinator's HOST:PORT and who runs it; None skips the calls to it.

    ``listen``: HOST:PORT at which peers are to call; None = it only dials out. ``reached_at``: under which address they do; None = the
    same. ``relay``: at which it is to listen.
    """

    config: FederationConfig
    identity: Path
    folder: Path
    listen: str | None
    cpm: str | None
    operator: str | None
    relay: RelayAt | None = None
    reached_at: str | None = None
    workplace: str = "knexa.participant.workplace:LearningWorkplace"


def examine(patient: Patient) -> Iterator[Finding]:
    """All checks, the quick ones first; one that fails does not keep the others from being made."""
    checks: dict[str, Callable[[Patient], str]] = {
        "certificate": _certificate,
        "participants": _participants,
        "port": _port,
        "disk": _disk,
        "sandbox": _sandbox,
        "settings": _settings,
        "data and model": _model,
    }
    if patient.cpm is not None:
        checks |= {"coordinator": _coordinator, "agreement": _agreement, "called back": _called_back}
    if patient.relay is not None:
        checks |= {"relay": _relay}
    for name, check in checks.items():
        began = time.perf_counter()
        try:
            what, fine = check(patient), True
        except (KnexaError, OSError) as error:
            what, fine = str(error), False
        yield Finding(name, fine, what, time.perf_counter() - began)


def _certificate(patient: Patient) -> str:
    credentials = Credentials(patient.identity)
    now = utc_now()
    credentials.require_valid(now)
    _, chain = credentials.current()
    credentials.trust.verify(chain, now, "server")  # by the newest list of what was taken back, too
    hours = (credentials.expires() - now).total_seconds() / 3600
    due = "; it should have been renewed: let `knexa provision renew` run" if credentials.due(now) else ""
    return f"{credentials.identity}, good for another {hours:.1f} hours{due}"


def _participants(patient: Patient) -> str:
    """Everybody's organisation is trusted, and this identity is one of the agents."""
    credentials, run_by = Credentials(patient.identity), organisations(patient.config)
    known = set(credentials.trust.organisations())
    if credentials.identity.name != CPM and run_by.get(credentials.identity.name) != credentials.identity.organisation:
        raise ConfigurationError(
            f"{credentials.identity} is no agent of this federation.toml; its agents are "
            f"{', '.join(f'{organisation}/{agent}' for agent, organisation in run_by.items())}"
        )
    wanted = set(run_by.values()) | ({patient.operator} if patient.operator else set())
    if missing := sorted(wanted - known):
        raise CredentialsError(
            f"no root of {', '.join(missing)} is trusted here; get it from them, run `knexa provision trust ROOT.pem` at your authority, "
            "then renew"
        )
    return f"{len(run_by)} agents of {len(set(run_by.values()))} organisations, all of which are trusted"


def _port(patient: Patient) -> str:
    if patient.listen is None:
        if patient.relay is not None:
            return f"only dials out; who cannot be called either reaches it through the relay {patient.relay}"
        return "only dials out: it exchanges with agents that listen themselves; --listen or --relay opens more ways"
    return f"{require_free(patient.listen, '--listen')} can be listened at"


def _disk(patient: Patient) -> str:
    existing = next(parent for parent in (patient.folder.absolute(), *patient.folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{existing}: is no folder that can be written to; choose another --dir, or change its owner")
    free = shutil.disk_usage(existing).free
    if free < LEAST_FREE:
        raise ConfigurationError(f"{existing}: {free / 2**20:.0f} MB are free, {LEAST_FREE / 2**20:.0f} are wanted; make room")
    return f"{free / 2**30:.1f} GB are free at {existing}"


def _sandbox(patient: Patient) -> str:
    if Credentials(patient.identity).identity.name == CPM:
        return "a coordinator needs none"
    about = patient.config.sandbox
    with Sandbox(about.backend, about.timeout_s, about.memory_mb, workers=1) as sandbox:
        return f"{sandbox.backend}, passed its self-test"


def _settings(patient: Patient) -> str:
    return f"{settings_hash(patient.config)[:16]}; must be the same for all participants"


def _model(patient: Patient) -> str:
    """Loads what the agent will work with; a coordinator has no model."""
    name = Credentials(patient.identity).identity.name
    if name == CPM:
        return "a coordinator needs none"
    place = load_workplace(patient.workplace, patient.config)
    try:
        size = len(place.start(name))
        return f"model loaded ({size / 1024:.0f} kB of state), transfer set {place.transfer_set()[:16]}"
    finally:
        place.close()


def _coordinator(patient: Patient) -> str:
    """Reachable, who it should be, and letting this agent in: each step by itself, so that the first that fails is named."""
    assert patient.cpm is not None
    return let_in(patient.cpm, "--cpm", _operator(patient), "knexa cpm serve", Credentials(patient.identity))


def _operator(patient: Patient) -> Identity:
    """Whom the coordinator should be. Raises ConfigurationError if nobody said it."""
    if patient.operator is None:
        raise ConfigurationError("--operator: say which organisation runs the coordinator at --cpm")
    return Identity(patient.operator, CPM)


def _relay(patient: Patient) -> str:
    assert patient.relay is not None
    return let_in(patient.relay.address, "--relay", patient.relay.identity, "knexa relay serve", Credentials(patient.identity))


def _called_back(patient: Patient) -> str:
    """From outside: whether whoever calls the address that peers will be told reaches this agent."""
    assert patient.cpm is not None
    credentials = Credentials(patient.identity)
    if patient.listen is None or credentials.identity.name == CPM:
        return "nobody is to call here"
    told = told_address(patient.listen, patient.reached_at)
    if not asyncio.run(called_back(patient.cpm, _operator(patient), patient.listen, told, credentials)):
        raise PeerError(
            f"the coordinator does not reach this agent at {told}; does a firewall let peers in, and is it the address they see "
            "(--reached-at HOST:PORT)? Without one, join with --relay instead of --listen"
        )
    return f"the coordinator reaches this agent at {told}; peers behind other firewalls may not"


def _agreement(patient: Patient) -> str:
    """What both sides must have alike: clocks, versions, settings, transfer set."""
    assert patient.cpm is not None
    hello, away_s = asyncio.run(greeted(patient.cpm, _operator(patient), Credentials(patient.identity)))
    held, settings, here = _held(patient), settings_hash(patient.config), version("knexa")
    compared = [
        (abs(away_s) <= CLOCKS_S, f"clocks are {away_s:+.0f} s apart: set both by NTP"),
        (hello.version == here, f"it runs knexa {hello.version}, this is {here}"),
        (hello.config == settings, f"its settings are {hello.config[:16]}, these {settings[:16]}: hold its federation.toml"),
        (
            not held or hello.transfer_set in ("", held),
            f"its agents hold the transfer set {hello.transfer_set[:16]}, this one {held[:16]}: hold the same problems",
        ),
    ]
    different = [what for alike, what in compared if not alike]
    if different:
        raise PeerError(f"the coordinator at {patient.cpm} differs: {'; '.join(different)}")
    problems = "and problems as the coordinator" if hello.transfer_set else "as the coordinator, whom nobody has joined yet"
    return f"same version, settings {problems}; clocks {abs(away_s):.1f} s apart"


def _held(patient: Patient) -> str:
    """The transfer set that this participant holds; a coordinator holds none."""
    if Credentials(patient.identity).identity.name == CPM:
        return ""
    place = load_workplace(patient.workplace, patient.config)
    try:
        return place.transfer_set()
    finally:
        place.close()
