"""Synthetic federations: worlds in which the worth of every exchange is known, and nothing of a result is written down beforehand."""
