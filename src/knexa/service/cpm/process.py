"""``knexa cpm serve``: one process that runs one federation to its end, and goes on from its journal whenever it is started again."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from knexa import durable
from knexa.config import FederationConfig, organisations, to_toml
from knexa.errors import ConfigurationError, RunFolderError
from knexa.events import EVENTS_FILE, TIMINGS_FILE, EventLog
from knexa.protocol.assembly import coordinator_of, header_of, require_peers_only
from knexa.protocol.coordinator import Phase
from knexa.service.cpm.conductor import Conductor
from knexa.service.cpm.journal import Journal, JournalError, Snapshot
from knexa.service.cpm.leases import Leases
from knexa.service.cpm.metrics import serve_metrics
from knexa.service.cpm.recorder import RecordFile
from knexa.service.cpm.server import CpmService, TicketTerms
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.identity.grant import Address
from knexa.service.identity.trust import utc_now
from knexa.service.reachability import require_free
from knexa.service.settings import settings_hash
from knexa.service.wire.endpoints import Server

CONFIG_FILE = "config.toml"
JOURNAL_FILE = "journal.sqlite"

#: Seconds that calls in progress get when the process is told to end, and that it goes on acknowledging after the end.
GRACE_S = 5.0
LINGER_S = 5.0
#: Agents that are named when they are waited for.
MOST_NAMED = 12
#: Seconds that agents get after a restart to be there again.
RECONNECT_S = 10.0
#: Two looks at the clock this far apart, where a second is meant to be, mean that agents may have been heard of and not listened to.
BLIND_S = 5.0


@dataclass(frozen=True, slots=True)
class CpmPlan:
    """``folder``: of the run: configuration, journal, events. ``identity``: folder of the coordinator's key and certificate.

    ``listen``: HOST:PORT. ``start_after_s``: begin without agents that have not joined by then (None: wait for all). ``metrics``:
    HOST:PORT for monitoring, in plain HTTP; None = nowhere. ``journal``: its database URL; None = a SQLite file in ``folder``.
    """

    config: FederationConfig
    folder: Path
    identity: Path
    listen: str
    start_after_s: float | None = None
    metrics: str | None = None
    journal: str | None = None


def serve(plan: CpmPlan, note: Callable[[str], None]) -> bool:
    """Run until the federation is over (True) or the process is told to end (False). ``note`` gets lines for the operator."""
    require_peers_only(plan.config)
    credentials = _coordinators_own(plan.identity)
    for where, option in ((plan.listen, "--listen"), (plan.metrics, "--metrics")):
        if where is not None:
            Address.parse(where, option)
            if not (plan.folder / CONFIG_FILE).exists():  # where it has begun already, it may be running, which another sentence says
                require_free(where, option)
    if plan.journal is None and not (plan.folder / JOURNAL_FILE).exists():
        _require_no_record(plan.folder)
    with _alone(plan.folder), Journal(plan.journal or f"sqlite:///{plan.folder / JOURNAL_FILE}") as journal:
        journal.hold()
        known = journal.federation()
        if known is None:
            _require_no_record(plan.folder)
            known = (f"f-{secrets.token_hex(8)}", settings_hash(plan.config))
            journal.begin(*known)
        federation_id, began_with = known
        if began_with != settings_hash(plan.config):
            raise ConfigurationError(f"{plan.folder}: holds the journal of a federation with other settings; choose another folder")
        _keep_settings(plan)
        return asyncio.run(_Process(plan, journal, federation_id, note).run(credentials))


def _keep_settings(plan: CpmPlan) -> None:
    """After the journal has begun: where they stand, there is one."""
    path = plan.folder / CONFIG_FILE
    try:
        if not path.exists():
            durable.replace(path, to_toml(plan.config).encode())
    except OSError as error:
        raise JournalError(f"{path}: cannot be written ({error.strerror}); make room and start again") from error


def _coordinators_own(identity: Path) -> Credentials:
    """Raises ConfigurationError if they are somebody else's: agents would call the coordinator, and not believe that it is one."""
    credentials = Credentials(identity)
    credentials.require_valid(utc_now())
    if credentials.identity.name != CPM:
        raise ConfigurationError(f"{identity}: is {credentials.identity}; a coordinator's name is {CPM!r}, make one with `knexa provision`")
    return credentials


def _require_no_record(folder: Path) -> None:
    """A folder without a journal of this federation's must not hold what another run has written: this one would begin over it."""
    for name in (CONFIG_FILE, EVENTS_FILE):
        if (folder / name).exists():
            raise RunFolderError(
                f"{folder / name}: is another run's, or of one whose journal is missing; choose another --out, or restore its journal"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, made if need be. One process at a time: a second one would write the record anew under the first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be used ({error.strerror}); choose another --out") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise RunFolderError(f"{folder}: another coordinator runs this federation; stop it first, or choose another --out") from error
    try:
        yield
    finally:
        os.close(lock)


class _Process:
    def __init__(self, plan: CpmPlan, journal: Journal, federation_id: str, note: Callable[[str], None]) -> None:
        self._plan, self._journal, self._federation_id, self._note = plan, journal, federation_id, note
        self._changed = asyncio.Event()
        self._told_to_end = False
        self._began = time.time()
        self._said_missing: list[str] = []

    async def run(self, credentials: Credentials) -> bool:
        plan, loop = self._plan, asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        members = {agent: Identity(organisation, agent) for agent, organisation in organisations(plan.config).items()}
        with ExitStack() as opened:
            record, snapshot = self._record()
            opened.callback(record.close)
            service: CpmService | None = None

            def announce(agents: set[str]) -> None:
                if service is not None:
                    service.announce(agents)

            conductor = self._conductor(record, snapshot, announce)
            seconds = plan.config.transport.deadline_s
            terms = TicketTerms(self._federation_id, plan.config.distillation.prompts, seconds)
            leases = self._leases(conductor, time.time())
            service = CpmService(conductor, members, credentials, terms, leases, time.time, self._changed.set)
            server = Server(credentials, utc_now, self._note)
            service.add_to(server)
            port = await server.listen(plan.listen)
            self._note(f"federation {self._federation_id}: listening at {plan.listen.rpartition(':')[0]}:{port}")
            if plan.metrics is not None:
                where = Address.parse(plan.metrics, "--metrics")
                serve_metrics((where.host, where.port), conductor, lambda: server.refused)
            try:
                await self._conduct(conductor, leases)
                if not self._told_to_end:
                    await asyncio.sleep(LINGER_S)
            finally:
                service.end()
                await server.stop(GRACE_S)
            return conductor.closed

    def _record(self) -> tuple[RecordFile, Snapshot | None]:
        """It is a view of the journal: written anew at every start, from the newest snapshot on if it stands as that has it."""
        path, snapshot = self._plan.folder / EVENTS_FILE, self._journal.snapshot()
        if snapshot is None or not RecordFile.stands(path, snapshot.body["record"]):
            return RecordFile(path), None
        return RecordFile(path, snapshot.body["record"]), snapshot

    def _conductor(self, record: RecordFile, snapshot: Snapshot | None, announce: Callable[[set[str]], None]) -> Conductor:
        config = self._plan.config
        return Conductor(
            coordinator_of(config),
            self._journal,
            header=partial(header_of, config),
            config=settings_hash(config),
            record=record,
            on_said=announce,
            snapshot=snapshot,
        )

    def _leases(self, conductor: Conductor, now: float) -> Leases:
        """Whoever had joined before a restart is taken to be there still."""
        leases = Leases(self._plan.config.transport.lease_s)
        for agent, seat in conductor.seats.items():
            if seat.member is not None:
                leases.renew(agent, now)
        return leases

    async def _conduct(self, conductor: Conductor, leases: Leases) -> None:
        """Start when all are there, let time pass, end when all have reported or nobody else will."""
        over_since: float | None = None
        looked = time.time()
        # Whoever was cut off by a restart gets time to come back before a deadline that passed meanwhile counts against it.
        reconnected_at = looked + RECONNECT_S if conductor.started else 0.0
        while not conductor.closed and not self._told_to_end:
            self._changed.clear()
            now = time.time()
            if abs(now - looked) > max(leases.seconds / 2, BLIND_S):
                leases.excuse(now)  # this process, or its clock, stood still or jumped: what agents said meanwhile is still to be read
            looked = now
            if not conductor.started:
                self._start(conductor, now)
            if conductor.broken is not None:
                raise conductor.broken
            if now >= reconnected_at or conductor.coordinator.phase is Phase.BETWEEN:
                self._pass_time(conductor, leases, now)
            if conductor.coordinator.phase is Phase.FINISHED:
                over_since = over_since or now
                if self._is_over(conductor, leases, now, max(over_since, reconnected_at)):
                    conductor.close(now)
                    self._keep_timings()
                    return
            await self._wait(min(at for at in (conductor.wake_at, now + 1.0) if at is not None and at > now) - now)

    def _is_over(self, conductor: Conductor, leases: Leases, now: float, since: float) -> bool:
        """Everybody has reported, or whoever has not had a whole lease to come back, or the longest wait."""
        missing = conductor.unfinished
        gone = leases.all_gone(missing, now) and now >= since + leases.seconds
        return not missing or gone or now >= since + self._plan.config.transport.deadline_s

    def _pass_time(self, conductor: Conductor, leases: Leases, now: float) -> None:
        """Deadlines move while somebody on whom it depends gets on, up to the longest; nobody is waited for who is gone.

        While nobody at all is there it is likelier that this end is cut off: then only the longest deadline counts.
        """
        coordinator = conductor.coordinator
        awaited, anybody = coordinator.awaited, not leases.all_gone(conductor.seats, now)
        waiting = leases.working(coordinator.involved, now) or (awaited and not anybody)
        if awaited and anybody and leases.all_gone(awaited, now):
            self._note(f"round {coordinator.round} goes on without {_named(awaited)}, who cannot be heard")
            conductor.go_on(now)
        elif now >= coordinator.waiting_since + self._plan.config.transport.deadline_s or not waiting:
            conductor.tick(now)

    def _start(self, conductor: Conductor, now: float) -> None:
        missing = conductor.missing
        late = self._plan.start_after_s is not None and now - self._began >= self._plan.start_after_s
        if not missing or (late and len(conductor.seats) - len(missing) >= 2):
            self._note("all agents are here; the first round opens" if not missing else f"starting without {', '.join(missing)}")
            if len(conductor.hidden) > 1:
                hidden = _named(conductor.hidden)
                self._note(f"{hidden} can be called nowhere and are not paired with each other; --listen or --relay would change that")
            conductor.start(now)
        elif missing != self._said_missing:
            self._said_missing = missing
            self._note(f"waiting for {_named(missing)}")

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.0))
        except TimeoutError:
            return

    def _keep_timings(self) -> None:
        """After a restart, this process alone has seen only the last stretch of the run."""
        log = EventLog(self._plan.folder / TIMINGS_FILE)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        log.append("total", seconds=max(time.time() - self._began, self._journal.seconds), peak_rss_mb=peak)
        log.close()

    def _end(self) -> None:
        self._told_to_end = True
        self._changed.set()


def _named(agents: Sequence[str]) -> str:
    more = f" and {len(agents) - MOST_NAMED} more" if len(agents) > MOST_NAMED else ""
    return ", ".join(agents[:MOST_NAMED]) + more
