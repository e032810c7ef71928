"""``knexa up``: a whole federation on one machine, as it would run between organisations: one process each, real certificates, real TLS.

Every organisation of the configuration gets an authority of its own, in a folder of the run; the coordinator has another. A process that
dies is started again and goes on from its folder, as an operator's service manager would do it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knexa.config import FederationConfig, organisations, to_toml
from knexa.errors import Incomplete, KnexaError, RunFolderError
from knexa.events import TIMINGS_FILE, EventLog, read_events
from knexa.protocol.assembly import require_peers_only
from knexa.service.identity import CPM, RELAY, Authority, renew_reachable
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.trust import utc_now

#: The organisation that runs the coordinator.
OPERATOR = "operator"

#: How often a process that dies within HEALTHY_S seconds is started again, and how long others may take to end when one cannot be.
RESTARTS = 5
HEALTHY_S = 60.0
GRACE_S = 10.0
#: Codes with which a process has ended as it should: a coordinator also when some of its agents were lost.
_ENDED = (0, Incomplete.exit_code)
#: How often certificates are looked at; they are good for a day, and renewed in the second half of it.
RENEWAL_S = 600.0


class ProcessFailed(KnexaError):  # noqa: N818 - names what happened, as Interrupted does
    """A process of a local federation ended and cannot be started again."""

    exit_code = 6


def provision(config: FederationConfig, folder: Path) -> dict[str, Path]:
    """Make every identity in ``folder``; the folder of each, by agent (and :data:`~knexa.service.identity.CPM`)."""
    now = utc_now()
    run_by = {**organisations(config), CPM: OPERATOR, RELAY: OPERATOR}
    authorities = {name: Authority.create(folder / f"ca-{name}", name, now) for name in sorted(set(run_by.values()))}
    for authority in authorities.values():
        for name, other in authorities.items():
            if other is not authority:
                authority.trust.admit(other.trust.root_pem(name), name, now)
    folders = {}
    for member, organisation in run_by.items():
        authority = authorities[organisation]
        agent = AgentFolder.create(folder / member, authority.member(member))
        certificate = authority.issue(agent.request(), member, now, folder=agent.path)
        agent.install(authority.grant(certificate), now)
        folders[member] = agent.path
    return folders


@dataclass(frozen=True, slots=True)
class Host:
    """Where a process runs: the address at which it listens, and what its command line begins with, such as ``ip netns exec one``."""

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


@dataclass(slots=True)
class _Running:
    name: str
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes]
    began: float
    restarts: int = 0


class LocalFederation:
    """Processes of one federation in ``folder``, which is to be a run folder afterwards. Use as a context: leaving it ends them all."""

    def __init__(
        self,
        config: FederationConfig,
        folder: Path,
        workplace: str | None = None,
        options: Mapping[str, Sequence[str]] | None = None,
        hidden: int = 0,
        hosts: Mapping[str, Host] | None = None,
    ) -> None:
        """``options``: more of the command line of some agents, by name. ``hidden``: so many, the last ones, only dial out.

        ``hosts``: of processes that are not to run on this one, by agent, :data:`CPM` and :data:`RELAY`. RunFolderError if ``folder``
        holds something already, ConfigurationError for a baseline that only a simulation has.
        """
        require_peers_only(config)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunFolderError(f"{folder}: exists and is not an empty folder; choose another --out")
        self.folder, self._config, self._workplace, self._options = folder, config, workplace, options or {}
        self._hosts = hosts or {}
        self._hidden = {agent.name for agent in config.agents[len(config.agents) - hidden :]}
        self._running: list[_Running] = []
        self._over_since = 0.0
        self._renewed = time.monotonic()

    def __enter__(self) -> LocalFederation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make identities, then the coordinator's process and one for each agent. RunFolderError if the folder cannot be written."""
        settings = self.folder / "federation.toml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            settings.write_text(to_toml(self._config), encoding="utf-8")
        except OSError as error:
            raise RunFolderError(f"{self.folder}: cannot be written ({error.strerror}); choose another --out") from error
        identities = provision(self._config, self.folder / "identities")
        address, relay = (f"{self._host(name).address}:{_free_port()}" for name in (CPM, RELAY))

        def begin(name: str, *arguments: str) -> None:
            self._begin(name, [*arguments, "--identity", str(identities[name])])

        begin(CPM, "cpm", "serve", str(settings), "--listen", address, "--out", str(self.folder))
        if self._hidden:
            begin(RELAY, "relay", "serve", "--listen", relay)
        common = ["--cpm", address, "--operator", OPERATOR, *(["--workplace", self._workplace] if self._workplace else [])]
        for agent in self._config.agents:
            hidden = ["--relay", relay, "--relay-operator", OPERATOR]
            reach = hidden if agent.name in self._hidden else ["--listen", f"{self._host(agent.name).address}:0"]
            own = ["--dir", str(self.folder / "agents" / agent.name), *reach, *self._options.get(agent.name, ())]
            begin(agent.name, "agent", "join", str(settings), *common, *own)

    def watch(self, on_restart: Callable[[str], None], glance_s: float = 0.2) -> None:
        """Until all have ended as they should. Whoever dies is started again. Raises ProcessFailed if that does not help."""
        while pending := [one for one in self._running if one.process.poll() not in _ENDED]:
            alone = all(one.name == RELAY for one in pending)
            if self._running[0] not in pending and (alone or self._over_for() > GRACE_S):
                return  # the coordinator has everybody's last word; whoever has missed its thanks is ended with the rest
            for one in pending:
                if one.process.poll() is not None:
                    self._revive(one)
                    on_restart(one.name)
            self._renew()
            time.sleep(glance_s)

    def _revive(self, one: _Running) -> None:
        now = time.monotonic()
        one.restarts = 0 if now - one.began > HEALTHY_S else one.restarts + 1
        if one.restarts > RESTARTS:
            raise ProcessFailed(f"{one.name} ended with code {one.process.returncode}, {RESTARTS + 1} times in a row; see {one.log}")
        with _undisturbed():
            one.process, one.began = self._spawn(one.command, one.log), now

    def _renew(self) -> None:
        """Certificates that are due get their successors, which the processes read without a restart."""
        if time.monotonic() - self._renewed > RENEWAL_S:
            self._renewed = time.monotonic()
            for folder in (self.folder / "identities").glob("ca-*"):
                renew_reachable(Authority.open(folder), utc_now())

    def _over_for(self) -> float:
        """Seconds since the coordinator was first seen to have ended."""
        self._over_since = self._over_since or time.monotonic()
        return time.monotonic() - self._over_since

    def pids(self) -> Mapping[str, int]:
        """Process ids by agent (and the coordinator): for who wants to kill one and see what happens."""
        return {one.name: one.process.pid for one in self._running}

    def gather_timings(self) -> None:
        """Write what every process took into the run folder: jobs of all agents, and the memory of all processes together."""
        rows = [row for agent in self._config.agents for row in _timings(self.folder / "agents" / agent.name)]
        total = next((row for row in _timings(self.folder) if row["kind"] == "total"), None)
        log = EventLog(self.folder / TIMINGS_FILE)
        for row in rows:
            log.append(row.pop("kind"), **row)
        if total is not None:
            peak = total["peak_rss_mb"] + sum(row["peak_rss_mb"] for row in rows if "peak_rss_mb" in row)
            log.append("total", seconds=total["seconds"], peak_rss_mb=peak)
        log.close()

    def stop(self) -> None:
        """End what still runs."""
        for one in self._running:
            if one.process.poll() is None:
                one.process.terminate()
        until = time.monotonic() + GRACE_S
        for one in self._running:
            try:
                one.process.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()

    def _begin(self, name: str, arguments: Sequence[str]) -> None:
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        command = [*self._host(name).prefix, sys.executable, "-m", "knexa", *arguments]
        with _undisturbed():
            self._running.append(_Running(name, command, log, self._spawn(command, log), time.monotonic()))

    def _host(self, name: str) -> Host:
        return self._hosts.get(name, Host())

    def _spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """A session of its own, so that Ctrl-C reaches the supervisor alone, which then ends them in order."""
        threads = str(self._config.engine.threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
        with log.open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A signal to stop is heard after the block: between a process's start and its entry in the list nobody would know whom to end."""
    if threading.current_thread() is not threading.main_thread():  # others hear no signals
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for heard in came:
        signal.raise_signal(heard)


def _timings(folder: Path) -> list[dict[str, Any]]:
    return list(read_events(folder, TIMINGS_FILE)) if (folder / TIMINGS_FILE).is_file() else []


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
