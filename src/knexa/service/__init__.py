"""A federation between real processes and hosts: identities, and the programs that carry the protocol over a network."""
