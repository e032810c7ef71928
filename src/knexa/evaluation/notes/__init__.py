"""A sample of texts without tests: shorthand notes of a clinic, a bank and an office, each with the sentence that it stands for.

Written for this project and dedicated to the public domain (CC0 1.0). ``make.py`` composes ``notes.jsonl`` from tables.
"""

from pathlib import Path

NOTES_FILE = Path(__file__).with_name("notes.jsonl")
