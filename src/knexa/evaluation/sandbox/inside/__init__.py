"""Code that runs inside the sandbox, on the standard library alone: it must not import anything else of knexa."""
