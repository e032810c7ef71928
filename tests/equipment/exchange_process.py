"""One participant of an exchange as a process of its own: lines of JSON in, lines of JSON out, bytes as hex.

First its name comes in and its public key goes out; then the public keys of the CPM and of the peer come in. After that it takes steps:
``open`` with a token and a role, and the steps of that role. Its texts are its own: each carries the marker that it was started with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from exchange_parties import NOW, X_U, new_key

from knexa.errors import PeerError
from knexa.exchange.handshake import Party, StudentSide, TeacherSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import VerifyingKey


class Participant:
    def __init__(self, me: Party, seen: SeenTickets, marker: str) -> None:
        self.me, self.seen, self.marker = me, seen, marker
        self.side: Any = None

    def open(self, token: str, role: str) -> str:
        data = bytes.fromhex(token)
        self.side = StudentSide(self.me, data, NOW) if role == "student" else TeacherSide(self.me, data, self.seen, NOW)
        return bytes(self.side.offer).hex()

    def ask(self, offer: str) -> str:
        prompts = tuple(f"{self.marker}-{number}" for number in range(4))
        request = KnowledgeRequest(self.side.ticket.match_id, prompts, 4)
        return bytes(self.side.ask(bytes.fromhex(offer), request, NOW)).hex()

    def teach(self, offer: str, envelope: str) -> tuple[str, str]:
        """The sealed package, and what it is a hash of."""
        request = self.side.hear(bytes.fromhex(offer), bytes.fromhex(envelope), NOW)
        texts = {prompt: f"{self.marker} answers {prompt}" for prompt in request.prompt_ids}
        package = KnowledgePackage(request.match_id, X_U, texts)
        return bytes(self.side.answer(package, NOW)).hex(), package.digest()

    def receive(self, envelope: str) -> tuple[int, str]:
        package = self.side.receive(bytes.fromhex(envelope), NOW)
        return len(package.texts), package.digest()


def main() -> None:
    name, marker, folder = sys.argv[1:]
    key = new_key()
    print(json.dumps(key.public_bytes.hex()), flush=True)
    cpm, peer_name, peer = json.loads(sys.stdin.readline())
    peers = {peer_name: VerifyingKey.from_public_bytes(bytes.fromhex(peer))}
    me = Party("clinics", name, key, VerifyingKey.from_public_bytes(bytes.fromhex(cpm)), peers, X_U)
    with SeenTickets(Path(folder) / f"{name}-seen", NOW) as seen:
        participant = Participant(me, seen, marker)
        for line in sys.stdin:
            step, *arguments = json.loads(line)
            try:
                answer = getattr(participant, step)(*arguments)
            except PeerError as error:
                answer = {"refused": str(error)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
