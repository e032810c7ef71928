"""Between agents that cannot call each other: whoever is reachable holds the line, and sees what travels on it sealed."""
