"""Whether an agent does what others say: its policy, applied to messages, with a book of what it has exchanged."""

from __future__ import annotations

from collections.abc import Mapping

from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage
from knexa.matching.match import Match
from knexa.protocol.messages import Matched, Message
from knexa.protocol.peer import KnowledgeRequested, KnowledgeSent, PeerMessage
from knexa.service.agent.policy import DAY_S, Exchanged, Policy
from knexa.service.agent.store import Memory
from knexa.service.identity import Identity


class Consent:
    """Of agent ``name``. What it exchanges goes into ``memory``, so that quotas hold across restarts."""

    def __init__(self, policy: Policy, name: str, members: Mapping[str, Identity], memory: Memory) -> None:
        self._policy, self._name, self._members, self._memory = policy, name, members, memory
        self._refused: dict[str, str] = {}

    def check(self, message: Message | PeerMessage, begun: Match | None, now: float) -> None:
        """Raises PeerError for what this agent does not do; the match that it has ``begun`` it ends."""
        match message:
            case Matched(match_) if match_ != begun:
                why = self._refused.get(match_.match_id) or self._policy.veto(
                    match_, self._name, self._members, self._memory.exchanged, now
                )
                if why:
                    raise PeerError(f"the match {match_.match_id} of {match_.teacher} and {match_.student}: {why}")
            case KnowledgeRequested(request) if request.match_id in self._refused:
                raise PeerError(f"this agent does not do the match {request.match_id}")
            case KnowledgeSent(package):
                self._policy.check_size(package, self._memory.exchanged, now)

    def refuse(self, match_id: str, why: str) -> None:
        """Stay with it: whoever speaks of the match again hears the same."""
        self._refused[match_id] = why

    def sendable(self, match: Match, package: KnowledgePackage, now: float) -> KnowledgePackage:
        """What of ``package`` may be sent to the student of ``match``; PeerError if that is nothing."""
        return self._policy.sendable(package, match.student, self._members, self._memory.exchanged, now)

    def enter(self, match: Match, package: KnowledgePackage, now: float) -> None:
        """Into the book: a package of ``match`` that is sent, or was taken."""
        taught = match.teacher == self._name
        partner = match.student if taught else match.teacher
        kept = [one for one in self._memory.exchanged if now - one.time < DAY_S]
        self._memory.exchanged = [*kept, Exchanged(now, taught, len(package.to_bytes()), partner, package.answers)]
