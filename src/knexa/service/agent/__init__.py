"""An agent's process: it trains and teaches beside its data, and only dials out to the coordinator."""
