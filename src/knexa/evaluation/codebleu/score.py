"""CodeBLEU (Ren et al. 2020, arXiv 2009.10297) for Python: how like its reference a program is, whether it works or not.

Component for component the numbers of the package ``codebleu`` 0.7.0, which continues the paper's own code. The package also scores a
whole corpus at once, from summed counts. We score pairs and take their mean: as in Pass@k every problem then counts the same however
long its solution is, and differences can be paired by problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from knexa.evaluation.codebleu.comments import without_comments
from knexa.evaluation.codebleu.data_flow import Edge, data_flow, flow_match
from knexa.evaluation.codebleu.ngram_match import Ngrams, bleu, ngrams, weighted_recall
from knexa.evaluation.codebleu.syntax_tree import parse

#: Characters of a text that are read. What stands behind them is not compared, so that no text takes long.
MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class CodeBleu:
    """The four components, each in [0, 1]."""

    ngram_match: float
    weighted_ngram_match: float
    syntax_match: float
    data_flow_match: float

    @property
    def score(self) -> float:
        """Their mean, in which a data-flow match of 0 counts as 1: no score is below 0.25.

        That is the package's rule for references without data flow, of which nothing can be said; it does not tell them from candidates
        that match none of it. We keep it, because the numbers that others publish have it.
        """
        return (self.ngram_match + self.weighted_ngram_match + self.syntax_match + (self.data_flow_match or 1.0)) / 4


@dataclass(frozen=True, slots=True)
class _Program:
    """What is compared of one text."""

    ngrams: tuple[Ngrams, ...]
    shapes: tuple[str, ...]
    edges: tuple[Edge, ...]


def codebleu(reference: str, candidate: str) -> CodeBleu:
    """Compare two texts, which may be anything; Python 3 code as far as they can be read as that."""
    wanted, found = _program(reference), _program(candidate)
    shapes = frozenset(found.shapes)
    return CodeBleu(
        ngram_match=bleu(wanted.ngrams, found.ngrams),
        weighted_ngram_match=weighted_recall(wanted.ngrams, found.ngrams),
        syntax_match=sum(shape in shapes for shape in wanted.shapes) / len(wanted.shapes),
        data_flow_match=flow_match(wanted.edges, found.edges),
    )


def mean_codebleu(references: Sequence[str], candidates: Sequence[str]) -> float:
    """Mean score of the pairs. Raises ValueError for no pairs, and for lists of unequal length."""
    if not references:
        raise ValueError("CodeBLEU of no pairs is not defined")
    return fmean(_score(reference, candidate) for reference, candidate in zip(references, candidates, strict=True))


@lru_cache(maxsize=65_536)  # small models repeat themselves, between samples and between agents
def _score(reference: str, candidate: str) -> float:
    return codebleu(reference, candidate).score


@lru_cache(maxsize=1024)  # a reference is compared with many samples
def _program(text: str) -> _Program:
    read = text[:MAX_CHARACTERS].encode(errors="replace").decode().strip()  # no lone surrogates: they have no bytes to parse
    tree = parse(without_comments(read))
    return _Program(ngrams(read.split()), tree.shapes, data_flow(tree))
