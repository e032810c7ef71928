"""Baselines with a server: what it asks of the agents and does itself between two rounds, as decisions without I/O."""
