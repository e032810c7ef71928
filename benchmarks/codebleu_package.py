"""The package ``codebleu`` 0.7.0 as an oracle, in an environment of its own. JSON lines in: reference, candidate; out: the components.

    python -P benchmarks/codebleu_package.py [--in-order] < pairs.jsonl > scores.jsonl

The package's own requirement (tree-sitter 0.22) does not go with today's tree-sitter-python, so that environment is made by force:

    python -m venv ENVIRONMENT
    ENVIRONMENT/bin/pip install --no-deps codebleu==0.7.0 tree-sitter==0.26.1 tree-sitter-python==0.25.0

``-P`` keeps this folder, which has a ``codebleu.py``, off the path. In the data flow of loops the package puts names into a set, so its
figure depends on PYTHONHASHSEED; with ``--in-order`` its sets keep the order of insertion.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from codebleu import calc_codebleu, dataflow_match, parser

COMPONENTS = ("ngram_match_score", "weighted_ngram_match_score", "syntax_match_score", "dataflow_match_score", "codebleu")


class InOrder(dict):
    """As much of a set as the package uses, in the order of insertion."""

    def __init__(self, items=()):
        super().__init__(dict.fromkeys(items))

    def add(self, item):
        self[item] = None


def main() -> None:
    logging.disable(logging.WARNING)  # one for every reference without data flow
    if "--in-order" in sys.argv:
        parser.DFG.set = dataflow_match.set = InOrder
    for line in sys.stdin:
        pair = json.loads(line)
        began = time.perf_counter()
        scores = calc_codebleu([pair["reference"]], [pair["candidate"]], "python")
        seconds = time.perf_counter() - began
        print(json.dumps([*(scores[name] for name in COMPONENTS), seconds]))


if __name__ == "__main__":
    main()
