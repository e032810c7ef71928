"""Test equipment: every decoder of what comes from outside, with valid inputs to start from, and inputs that are nearly valid.

A decoder either gives a value or refuses with the error that it documents; whatever else it does is a defect. One more is a line in
:func:`decoders`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from exchange_parties import CPM, NOW, PACKAGE, REQUEST, TICKET, begin
from synthetic_run import write_run

from knexa.config import LocalConfig, load_config
from knexa.errors import ConfigurationError, CredentialsError, KnexaError, LedgerError, PeerError, RunFolderError
from knexa.evaluation.problem_files import load_jsonl
from knexa.exchange.guardrail import Action, Reviewed
from knexa.exchange.ledger import Departure, Ledger, verified
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.ticket import Ticket, open_ticket, sign_ticket
from knexa.exchange.vetting import VettedAnswer, VettedPackage
from knexa.learning.learner import Learner
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import METRICS, Profile, family_block
from knexa.participant.state import AgentState
from knexa.protocol.messages import ExchangeFailed, Finished, Matched, OutcomeReported, ProfileReported, RoundOpened
from knexa.record import read_run
from knexa.service.agent.policy import load_policy
from knexa.service.agent.store import AgentStore, Memory
from knexa.service.identity import Authority
from knexa.service.identity.grant import Grant
from knexa.service.identity.issued import IssuedLog, living
from knexa.service.identity.keys import read_request
from knexa.service.identity.verification import read_certificate, read_list, read_root
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Route, Way
from knexa.simulation.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

#: Deeper than any recursive parser of Python follows.
_DEEP = 20_000


@dataclass(frozen=True)
class Decoder:
    """``refusal``: what it may raise. ``originals``: inputs that it takes, unless ``opens`` is false: those were sealed for keys now gone.

    ``slow``: reads a file, or worse, for each input.
    """

    decode: Callable[[bytes], Any]
    refusal: type[KnexaError]
    originals: tuple[bytes, ...]
    slow: bool = False
    opens: bool = True


def decoders(folder: Path) -> dict[str, Decoder]:
    """All of them, by name; those that read files do so in ``folder``."""
    return {**_wire(), **_exchange(folder), **_identities(folder), **_learning(), **_files(folder)}


def spoiled(original: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Nearly ``original``: bytes changed, cut, put in, repeated, or another's; JSON changed where it is JSON; now and then noise."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(300))
    if rng.random() < 0.3 and (changed := _spoiled_line(original, rng)) is not None:
        return changed
    data = bytearray(original)
    for _ in range(1 + rng.randrange(6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + 1 + rng.randrange(20)]
            case 2:
                data[at:at] = rng.randbytes(1 + rng.randrange(20))
            case 3:
                data[at:at] = data[at : at + rng.randrange(200)]
            case 4:
                other = rng.choice(others)
                cut = rng.randrange(len(other) + 1)
                data[at:] = other[cut:]
            case _:
                data[at:at] = rng.choice(
                    (
                        b"NaN",
                        b"1e999",
                        b"-1",
                        b"null",
                        b'"',
                        b"[" * 40,
                        b"[" * _DEEP,
                        b'{"a":' * _DEEP,
                        b"\x00",
                        b"\xff\xfe",
                        b"9" * 400,
                        b"9" * 5000,
                        b"\n",
                        b"{}",
                    )
                )
    return bytes(data)


def _spoiled_line(original: bytes, rng: random.Random) -> bytes | None:
    """With one value in one of its lines replaced, removed or doubled; None if that line is no JSON, or holds none."""
    lines = original.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    ending = lines[at][len(lines[at].rstrip(b"\n")) :]
    changed = _spoiled_json(lines[at], rng)
    return None if changed is None else b"".join([*lines[:at], changed, ending, *lines[at + 1 :]])


def _spoiled_json(original: bytes, rng: random.Random) -> bytes | None:
    """With one value of it replaced, removed or doubled; None if it is no JSON, or holds none."""
    try:
        form = json.loads(original)
    except ValueError:
        return None
    places: list[tuple[Any, Any]] = []
    waiting = [form]
    while waiting:
        node = waiting.pop()
        inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in inner:
            places.append((node, key))
            waiting.append(value)
    if not places:
        return None
    node, key = rng.choice(places)
    odd = [
        None,
        True,
        -1,
        2**70,
        1e308,
        float("nan"),
        "",
        "x" * 5000,
        "\ud800",
        [],
        {},
        [[[]]],
        {"is": "Match"},
        "../../etc",
        0.5,
        "ü" * 300,
    ]
    if isinstance(node, dict) and rng.random() < 0.2:
        del node[key]
    elif isinstance(node, dict) and rng.random() < 0.2:
        node[f"{key}x"] = node[key]
    else:
        node[key] = rng.choice(odd)
    return json.dumps(form, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _wire() -> dict[str, Decoder]:
    profile = Profile("a", 1, family_block("gpt2"), (0.1,) * len(METRICS), (1 / 12,) * 12)
    match = Match("r1-a-b", 1, "a", "b", "text", (1 / 12,) * 12, 0.5, 0.5)
    scores = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": 1.0, "perplexity": None}
    about = {"stage": "end", "round": 3, "split": "test", "problems": 12, "samples": 1, "texts_kept": 3, "cut": 1, "correct": [1] * 12}
    outcome = Outcome("r1-a-b", 2.0, 1.9, 2.0, 1.8, 0.1, 0.2, 500, 8, 5, True)
    told = (ProfileReported(profile), OutcomeReported(outcome), ExchangeFailed("r1-a-b", ""), {**scores, **about})
    reports = tuple(codec.report("one", what).SerializeToString() for what in told)
    route = Route(Way.DIRECT, "a.example:1")
    directives = tuple(
        codec.directive(what, b"ticket", route).SerializeToString() for what in (RoundOpened(1), Matched(match), Finished(3))
    )

    def directive(data: bytes) -> object:
        sent = codec.parsed(pb.Directive, data, "cpm")
        message = codec.from_directive(sent)
        return (message, codec.from_route(sent.matched)) if isinstance(message, Matched) else message

    return {
        "report": Decoder(lambda data: codec.from_report("a", codec.parsed(pb.ReportRequest, data, "a")), PeerError, reports),
        "directive": Decoder(directive, PeerError, directives),
        "profile": Decoder(lambda data: Profile.from_dict(_json(data)), PeerError, (json.dumps(profile.to_dict()).encode(),)),
    }


def _json(data: bytes) -> Any:
    """As a shell would read it: what is no JSON does not get as far as the decoder."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PeerError("no JSON") from error


def _exchange(folder: Path) -> dict[str, Decoder]:
    token = sign_ticket(TICKET, CPM)
    with SeenTickets(folder / "tickets", NOW) as seen:
        sides = begin(seen)
        request = sides.ask()
        sides.teacher.hear(sides.student.offer, request, NOW)
        package = sides.teacher.answer(PACKAGE, NOW)
    many = KnowledgePackage("r1-t-s", "ab" * 32, {"p": "x"}, 2, b"tensors", {"p": ("y", "z")})
    return {
        "knowledge request": Decoder(KnowledgeRequest.from_bytes, PeerError, (REQUEST.to_bytes(),)),
        "knowledge package": Decoder(KnowledgePackage.from_bytes, PeerError, (PACKAGE.to_bytes(), many.to_bytes())),
        "ticket": Decoder(Ticket.from_bytes, PeerError, (TICKET.to_bytes(),)),
        "signed ticket": Decoder(lambda data: open_ticket(data, CPM.verifying_key, NOW), PeerError, (token,)),
        "sealed package": Decoder(lambda data: _receive(folder, data), PeerError, (package,), slow=True, opens=False),
        "sealed request": Decoder(lambda data: _hear(folder, data), PeerError, (request,), slow=True, opens=False),
    }


def _receive(folder: Path, data: bytes) -> object:
    (folder / "receiving").unlink(missing_ok=True)
    with SeenTickets(folder / "receiving", NOW) as seen:
        sides = begin(seen)
        sides.ask()
        return sides.student.receive(data, NOW)


def _hear(folder: Path, data: bytes) -> object:
    (folder / "hearing").unlink(missing_ok=True)
    with SeenTickets(folder / "hearing", NOW) as seen:
        sides = begin(seen)
        return sides.teacher.hear(sides.student.offer, data, NOW)


def _identities(folder: Path) -> dict[str, Decoder]:
    from identities import member, pem

    authority = Authority.create(folder / "ca", "clinic", datetime(2027, 3, 1, tzinfo=UTC))
    credentials = member(authority, folder / "agent", "a")
    certificate = credentials.current()[1]
    request = (folder / "agent" / "request.csr").read_bytes()
    granted = authority.grant(x509.load_pem_x509_certificate(certificate))
    revoked, grant = next(iter(granted.lists.values())).encode(), json.dumps(granted.to_json()).encode()
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return {
        "certificate": Decoder(read_certificate, PeerError, (certificate, der)),
        "root": Decoder(read_root, PeerError, (pem(authority.root),)),
        "revocation list": Decoder(read_list, PeerError, (revoked,)),
        "certificate request": Decoder(read_request, PeerError, (request,)),
        "grant": Decoder(lambda data: Grant.from_json(_json(data)), PeerError, (grant,)),
    }


def _learning() -> dict[str, Decoder]:
    learner = Learner("embedded:gpt2", LocalConfig(), load_config(None).model)
    learner.reset(1)
    texts = [("def f(x):\n", "    return x + 1\n"), ("def g():\n", "    return 2\n")]
    start = learner.state()

    def merge(data: bytes) -> None:
        learner.load(start)
        learner.merge(data, 0.5)

    return {
        "logits": Decoder(lambda data: learner.softened(texts, data), PeerError, (learner.logits(texts, 4),)),
        "adapter": Decoder(merge, PeerError, (learner.adapter_bytes(),), slow=True),
    }


def _files(folder: Path) -> dict[str, Decoder]:
    vetted = VettedPackage(PACKAGE, tuple(VettedAnswer(key, Reviewed(Action.PASS, text)) for key, text in PACKAGE.texts.items()))
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.enter(Departure(1.0, "r1-t-s", 1, "s", "text"), vetted, PACKAGE)
    run = write_run(folder / "run", rounds=1)
    events = run / "events.jsonl"
    store = AgentStore(folder / "store")
    store.save(Memory(b"learner", b"\x01" * 32))
    state = AgentState(b"learner", {"p": "x"}, {"loss": 1.0}, 0.5, {"p": {"b": "x"}}, [0.5, 0.5])
    (folder / "resumed").mkdir()
    write_checkpoint(folder / "resumed", Checkpoint(2, (10, 20), 3.0, {"now": 1.0}, {"a": state.to_bytes()}))
    facts = next((folder / "resumed").glob("*/checkpoint.json"))
    issued = (folder / "ca" / "issued.jsonl").read_bytes()
    row = {
        "task_id": "t/0",
        "prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": "def check(c):\n    assert c() == 1\n",
        "entry_point": "f",
    }
    policy = b'teaches = ["b"]\nlessons_a_day = 3\nhours = "20:00-06:00"\n[guardrail]\nsecrets = "block"\n'
    federation = b'rounds = 2\n[data]\nalpha = 0.5\n[[faults]]\nkind = "lazy"\nshare = 0.5\n'
    tickets = b"knexa seen tickets 1, forgotten until 5\n" + b"ab" * 32 + b" 1000600\n"

    def seen(path: Path) -> None:
        SeenTickets(path, NOW).close()

    def in_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        path = folder / name

        def decode(data: bytes) -> Any:
            path.write_bytes(data)
            return read(path)

        return decode

    return {
        "ledger": Decoder(
            in_file("fuzzed.jsonl", lambda path: list(verified(path))), LedgerError, ((folder / "ledger.jsonl").read_bytes(),)
        ),
        "events": Decoder(
            in_file("run/events.jsonl", lambda path: read_run(path.parent)), RunFolderError, (events.read_bytes(),), slow=True
        ),
        "agent store": Decoder(
            in_file("store/agent.json", lambda path: AgentStore(path.parent).load()),
            RunFolderError,
            ((folder / "store/agent.json").read_bytes(),),
        ),
        "agent state": Decoder(AgentState.from_bytes, RunFolderError, (state.to_bytes(),)),
        "checkpoint": Decoder(
            in_file(facts.relative_to(folder).as_posix(), lambda path: read_checkpoint(path.parent.parent)),
            RunFolderError,
            (facts.read_bytes(),),
        ),
        "issued certificates": Decoder(
            in_file("issued.jsonl", lambda path: living(IssuedLog(path).entries(), datetime(2027, 3, 1, tzinfo=UTC))),
            CredentialsError,
            (issued,),
        ),
        "served tickets": Decoder(in_file("seen", seen), LedgerError, (tickets,), slow=True),
        "problem file": Decoder(in_file("mine.jsonl", load_jsonl), ConfigurationError, ((json.dumps(row) + "\n").encode(),), slow=True),
        "policy": Decoder(in_file("policy.toml", load_policy), ConfigurationError, (policy,)),
        "federation.toml": Decoder(in_file("federation.toml", load_config), ConfigurationError, (federation,), slow=True),
    }
