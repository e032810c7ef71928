"""Agents that keep a real coordinator busy: certificates, channels and calls of a real agent, and numbers where its model would work.

Everything that an agent says, and when, is drawn from a seed. :func:`play` runs many of them in one process and tells what they saw.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from knexa.errors import PeerError
from knexa.evaluation.problems import CATEGORIES
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRICS, Profile, family_block
from knexa.protocol.messages import Finished, Matched, OutcomeReported, ProfileReported, RoundOpened
from knexa.randomness import stream
from knexa.service.agent.connection import CpmConnection
from knexa.service.agent.shell import RENEWALS
from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.local import OPERATOR
from knexa.service.revocation import EVERY_S, admit, question
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb

#: How often a process of agents looks whether it is late itself, in seconds.
_GLANCE_S = 0.05
_SHARES = tuple(0.5 for _ in range(CATEGORY_COUNT))


def usual_calls(lease_s: float) -> dict[str, float]:
    """How often a real agent makes the calls of :data:`BESIDE`, where a lease has ``lease_s`` seconds."""
    return {"revoked": EVERY_S, "alive": lease_s / RENEWALS}


@dataclass(frozen=True, slots=True)
class Script:
    """What the agents of one process do. ``folders``: of their identities, by name. ``settings``: SHA-256 that all must share.

    ``spreads``: of each round, in seconds: an agent thinks for a time drawn evenly from 0 to that before it reports. ``beside``:
    which calls of :data:`BESIDE` an agent makes all the time, and how many seconds lie between two.
    """

    folders: dict[str, Path]
    address: str
    settings: str
    seed: int
    spreads: tuple[float, ...]
    beside: dict[str, float] = field(default_factory=lambda: usual_calls(30.0))


@dataclass(frozen=True, slots=True)
class Call:
    """``at``: Unix seconds when it was sent. ``seconds``: until its reply. ``round``: 0 where it belongs to none."""

    kind: str
    round: int
    agent: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """A directive that an agent heard ``at`` (Unix seconds)."""

    kind: str
    round: int
    at: float


@dataclass(slots=True)
class Seen:
    """What the agents of one process saw. ``lines``: what they noted of a lost coordinator. ``late``: of this process itself, seconds."""

    calls: list[Call] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    processor_seconds: float = 0.0


class ScriptedAgent:
    """One agent, with a line of its own to the coordinator."""

    def __init__(self, name: str, script: Script, seen: Seen) -> None:
        self.name, self._script, self._seen = name, script, seen
        credentials = Credentials(script.folders[name])
        self.cpm = CpmConnection(script.address, Identity(OPERATOR, CPM), credentials, seen.lines.append)
        self.trust, self.organisation = credentials.trust, credentials.identity.organisation
        # Kept for as long as it holds: to put it together costs some milliseconds, and hundreds of agents share a core here.
        self.question = question(self.trust, self.organisation)
        self._profile = _profile(name, script.seed)
        self._working: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """From joining to the acknowledgement of the final scores."""
        start = self.name.encode().ljust(32, b"\0")
        request = pb.JoinRequest(transfer_set="a" * 64, address="127.0.0.1:7440", config=self._script.settings, start=start)
        await self._timed("join", 0, self.cpm.join(request))
        for kind, every_s in self._script.beside.items():
            self._begin(self._again_and_again(kind, every_s, BESIDE[kind]))
        async for told in self.cpm.directives():
            message = codec.from_directive(told)
            match message:
                case RoundOpened(round):
                    self._heard("opened", round)
                    profile = ProfileReported(replace(self._profile, round=round))
                    self._begin(self._report("profile", round, f"profile-{round}", profile))
                case Matched(match_):
                    self._heard("matched", match_.round)
                    if match_.student == self.name:
                        outcome = OutcomeReported(_outcome(match_, self._script.seed))
                        self._begin(self._report("outcome", match_.round, f"outcome-{match_.match_id}", outcome))
                case Finished(rounds):
                    self._heard("finished", rounds)
                    await self._report("evaluation", rounds, "evaluation-end", _scores(rounds))
                    break
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.cpm.close()

    async def _report(self, kind: str, round: int, report_id: str, what: codec.Report) -> None:
        report = codec.report(report_id, what).SerializeToString()
        spread = self._script.spreads[round - 1]
        if spread > 0.0:
            await asyncio.sleep(stream(self._script.seed, "think", self.name, kind, round).uniform(0.0, spread))
        await self._timed(kind, round, self.cpm.report(report))

    async def _again_and_again(self, kind: str, every_s: float, call: Callable[[ScriptedAgent], Awaitable[None]]) -> None:
        await asyncio.sleep(stream(self._script.seed, "beside", kind, self.name).uniform(0.0, every_s))
        while True:
            await self._timed(kind, 0, call(self))
            await asyncio.sleep(every_s)

    async def _timed(self, kind: str, round: int, call: Awaitable[Any]) -> None:
        at, began = time.time(), time.perf_counter()
        await call
        self._seen.calls.append(Call(kind, round, self.name, at, time.perf_counter() - began))

    def _heard(self, kind: str, round: int) -> None:
        self._seen.told.append(Told(kind, round, time.time()))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and isinstance(task.exception(), PeerError):
            self._seen.lines.append(f"{self.name}: {task.exception()}")


async def _hear_of_revoked(agent: ScriptedAgent) -> None:
    if admit((await agent.cpm.revoked(agent.question)).lists, agent.trust):
        agent.question = question(agent.trust, agent.organisation)


async def _be_heard_of(agent: ScriptedAgent) -> None:
    await agent.cpm.alive(int(1e3 * time.monotonic()))


#: Calls that an agent makes all the time, whatever else it does.
BESIDE: dict[str, Callable[[ScriptedAgent], Awaitable[None]]] = {"revoked": _hear_of_revoked, "alive": _be_heard_of}


def play(script: Script) -> Seen:
    """Run all agents of ``script`` to the end of their federation."""
    return asyncio.run(_play(script))


async def _play(script: Script) -> Seen:
    seen = Seen()
    agents = [ScriptedAgent(name, script, seen) for name in script.folders]
    watch = asyncio.create_task(_note_lateness(seen.late))
    await asyncio.gather(*(agent.live() for agent in agents))
    watch.cancel()
    seen.processor_seconds = time.process_time()
    return seen


async def _note_lateness(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + _GLANCE_S
        await asyncio.sleep(_GLANCE_S)
        late.append(time.perf_counter() - due)


def _profile(name: str, seed: int) -> Profile:
    """Drawn once for each agent: hundreds of them open a round at the same moment."""
    drawn = stream(seed, "profile", name)
    histogram = tuple(drawn.dirichlet([0.3] * CATEGORY_COUNT).tolist())
    probe, coverage = tuple(drawn.random(CATEGORY_COUNT).tolist()), tuple(drawn.random(CATEGORY_COUNT).tolist())
    family = family_block(FAMILIES[drawn.integers(len(FAMILIES))])
    return Profile(name, 1, family, tuple(drawn.random(len(METRICS)).tolist()), histogram, probe, coverage)


def _outcome(match: Match, seed: int) -> Outcome:
    gain = stream(seed, "gain", match.match_id).normal() / 10
    return Outcome(match.match_id, 2.0, 2.0 - gain, 2.0, 2.0 - gain, 0.1, 0.2, bytes=20_000, texts=128, kept=90, accepted=True)


def _scores(rounds: int) -> dict[str, Any]:
    sizes = {"problems": 84, "samples": 10, "texts_kept": 400, "cut": 0, "correct": [4] * 84}
    scores = {"scores": {"pass@1": 0.3, "pass@5": 0.5, "pass@10": 0.6}, "by_category": dict(zip(CATEGORIES, _SHARES, strict=True))}
    return {"stage": "end", "round": rounds, "split": "test", **sizes, **scores, "loss": 1.5, "perplexity": 4.5}
