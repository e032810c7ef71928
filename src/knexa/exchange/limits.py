"""How large anything that a peer sends may be: what is larger is refused before it is read."""

from __future__ import annotations

#: Bytes of a package or a request before it is sealed. 128 answers of 256 tokens are about 130 kB. A message of gRPC may have
#: 4 MiB, and the worst JSON of this size takes about 30 MiB of memory while it is parsed.
MOST_BYTES = 1 << 20
#: Prompt ids in a request, and texts in a package.
MOST_PROMPTS = 4096
#: Characters of one answer.
LONGEST_TEXT = 1 << 16
#: Characters of a match id or a prompt id.
LONGEST_ID = 200
#: Bytes of a token: a ticket's fields and one signature.
MOST_TOKEN_BYTES = 4096
#: Seconds from issue to expiry of a ticket. Certificates of peers live as long at most; a ledger remembers a ticket as long.
LONGEST_LIFE = 24 * 60 * 60
