"""How much of private data can be told from what left: canaries, verbatim overlap, membership; one and two hops away."""
