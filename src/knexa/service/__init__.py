"""A federation between real processes and hosts: identities, and the programs that carry the protocol over a network."""

import os

# gRPC's own log tells of every handshake that fails and of every connection that ends; what counts of it, we say ourselves. Read once,
# when gRPC is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
