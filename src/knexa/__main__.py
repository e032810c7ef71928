"""``python -m knexa``: the same program as ``knexa``."""

from knexa.cli import main

if __name__ == "__main__":
    main()
