"""A federation in virtual time: transport, clock, engines, checkpoints. The protocol is not here; it is only run here."""
