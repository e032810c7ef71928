"""What two peers say to each other, and the work that an agent asks its shell to do. Texts travel here, and only here."""

from __future__ import annotations

from dataclasses import dataclass

from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile

# --- messages: agent -> agent


@dataclass(frozen=True, slots=True)
class KnowledgeRequested:
    """Student to teacher."""

    request: KnowledgeRequest


@dataclass(frozen=True, slots=True)
class KnowledgeSent:
    """Teacher to student."""

    package: KnowledgePackage


PeerMessage = KnowledgeRequested | KnowledgeSent


@dataclass(frozen=True, slots=True)
class SendPeer:
    """Deliver ``message`` directly to the agent named ``to``."""

    to: str
    message: PeerMessage


@dataclass(frozen=True, slots=True)
class Release:
    """Let ``vetted.package`` go to the student of ``match``, once what leaves with it stands in the egress ledger."""

    match: Match
    vetted: VettedPackage


# --- work: what an agent asks its shell to have done; the result comes back through ``on_result``


@dataclass(frozen=True, slots=True)
class Train:
    """Local update of ``round``, then build the profile. Result: a Profile."""

    round: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Student: choose the prompt ids to ask for under ``match``. Result: a KnowledgeRequest."""

    match: Match


@dataclass(frozen=True, slots=True)
class Teach:
    """Teacher: answer ``request`` under ``match``, and vet the answers. Result: a VettedPackage."""

    match: Match
    request: KnowledgeRequest


@dataclass(frozen=True, slots=True)
class Study:
    """Student: verify and distil ``package`` under ``match``. Result: an Outcome."""

    match: Match
    package: KnowledgePackage


Work = Train | Ask | Teach | Study
Result = Profile | KnowledgeRequest | VettedPackage | Outcome
