"""Which of the 12 categories a programming problem of other people belongs to, by rules over its prompt.

The profile's histogram, the curriculum and the tables by category need one category for every problem; HumanEval and MBPP
name none. The rules read what is public of any problem, a test problem included: the name of the function, its parameters, the
description and the arguments of an example. They never read a solution. A category's score is the sum of the weights of its
rules that match, and what stands after "return" counts twice, since the result says more of a problem than what is done on the way.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from knexa.evaluation.problems import CATEGORIES, Problem

#: What the first two arguments are, and which categories that speaks for.
_MATERIALS: dict[str, dict[str, float]] = {
    "number": {"arithmetic": 2.5, "number_theory": 2, "sequences": 2},
    "text": {"characters": 3, "words": 2.5},
    "list": {"aggregation": 2, "filtering": 2, "mapping": 2, "ordering": 2, "searching": 2},
    "lists": {"pairing": 3.5},
    "dict": {"dictionaries": 4},
}

_RULES: dict[str, tuple[tuple[float, str], ...]] = {
    "arithmetic": (
        (2.5, r"digits?\b|\bbits?\b|bitwise|\bxor\b"),
        (2, r"\barea|volume|perimeter|circumference|diameter|surface|triangle|circle|cylinder|cone|sphere|rectangle|angle|\bslope|radius"),
        (1.5, r"\b(two|three|both) (given )?(numbers|integers)|\badd\b|subtract|multiply|multiplication|quotient|division|average of"),
        (1.5, r"\bpower\b|exponent|logarithm|\broot|decimal|binary|octal|hexadecimal|round|nearest|integer part|absolute|profit|cost"),
    ),
    "number_theory": (
        (3, r"prime|divisors?\b|divisible|divides|\bfactors?\b|\bgcd\b|greatest common|\blcm\b|common multiple|modulo|modular|remainder"),
        (3, r"perfect (square|number|cube)|armstrong|amicable|abundant|smith number|parity|\bmultiples?\b|square root|sum of its"),
        (1.5, r"whether (the |a )?(given )?n(umber)?\b|\bis odd|\bis even|(number|it) is (even|odd)|even or odd|power of (two|2)"),
    ),
    "aggregation": (
        (2.5, r"\bsum\b|\btotal|average|\bmean\b|median|\bmode\b|product of|standard deviation|variance"),
        (1.5, r"\b(max|min)(imum|imal)?\b|largest|smallest|biggest|highest|lowest"),
        (1.5, r"\bcount\b|how many|number of|\blength of"),
        (1.5, r"\b(sum|product|count|average|mean|number) (of|all|the) .*\b(list|array|nums|elements|tuple|numbers|squares)"),
    ),
    "filtering": (
        (2.5, r"remove|filter|\bkeep|without|exclud|extract|\bdelet|\bdrop|eliminat|discard|\bselect"),
        (2.5, r"list of (the )?((odd|even|positive|negative|non-?zero) )?(numbers|elements|strings) (at|above|below|larger|smaller)"),
        (2.5, r"list of (the )?(odd|even|positive|negative|unique)\b|\bonly (the )?(positive|negative|odd|even|numbers|strings|integers)"),
        (1.5, r"duplicat|unique|\bdistinct|\bthose\b|greater than|less than|(elements|numbers|strings|tuples) (that|which|of)"),
    ),
    "mapping": (
        (2, r"\beach\b|\bevery\b|element-?wise|increment|\bsquares\b|\bcubes?\b|differences|distances|cumulative|rolling"),
        (2, r"convert|transform|replac|substitut|flatten|\bto (a )?(list|tuple|string|float|integer|set)s?\b|as strings|remainders"),
        (1.5, r"\bmap\b|lambda|insert|append|\bsplit|nested|matrix|chunks|sublists?|\badd .* to "),
    ),
    "ordering": (
        (3, r"\bsort|ascending|descending|\border(ed|ing)?\b|revers|rotat|arrang|permut|shuffl|backwards"),
        (2, r"\bswap|\bshift|\bmoved?\b|\bheap\b|\bfirst\W*$|evens? first|halves|monotonic|increasing|decreasing|\bnext\b|\bkth\b"),
    ),
    "searching": (
        (2.5, r"\bsearch|\bindex\b|indices|position (of|where)|the position|occurrences?\b|missing|how often|\bexists?\b|contains?\b"),
        (2, r"whether|\bcheck\b|\bif\b .*\b(any|all|some|list|array)|determine"),
        (2, r"sub-?arrays?|subsequence|\bsubset|longest|\bfirst\b|\blast\b|second|majority|closest|contiguous|inversion|path|rotations?"),
    ),
    "characters": (
        (2.5, r"characters?\b|\bchars?\b|letters?\b|vowels?|consonant|palindrom|(upper|lower) ?-?case|alphabet|alphanumeric|ascii"),
        (2, r"substrings?|bracket|parenthes|regex|\bencod|\bdecod|cipher|encrypt|anagram|\bmatches\b|\bstarts?\b|\bends with"),
        (1, r"\bstrings?\b|\btext\b"),
    ),
    "words": (
        (3.5, r"\bwords?\b|sentence|camel|snake|whitespace|\bspaces?\b|capitali|adverb|title|phrase|paragraph"),
        (1.5, r"\burl\b|e-?mail|\bip\b|address|names?\b|\bdates?\b|literals?|underscore|space-"),
    ),
    "dictionaries": (
        (4.5, r"\bdict\b|dictionar|\bdicts\b"),
        (2.5, r"\bkeys?\b|\bvalues? of|frequen|\bgroup|most common|histogram|counter|repeated|occurs? (most|more)"),
    ),
    "pairing": (
        (3.5, r"\b(two|both|three|other) (given )?(\w+ )?(lists?|arrays?|tuples?|strings?|sequences?|sets?|sorted arrays|matrices)"),
        (2, r"common|intersect|\bunion|\bzip|corresponding|interleav|alternat|cartesian|dot product|\bmerge|\bjoin|combin|similar"),
        (3, r"\bpairs?\b|\btuples?\b|\ba and b\b|\bof (a|b)\b|\bin (a|b)\b|\ba followed"),
    ),
    "sequences": (
        (3, r"fibonacci|tribonacci|fibfib|\bn-?\W?th\b|\bsequence|\bseries|pascal|catalan|\bbell number|lucas|lucky|collatz|recurrence"),
        (3.5, r"first n\b|up to n\b|from (1|n|0|one) |between (1|0) and|to n\b|triangular|\w+(gonal|hedral) number|factorial|\bpowers of"),
        (2, r"\bways?\b|binomial|coefficient|\brange\b|pattern|stars|tiling|steps|\bgenerate|\bprint all|until|binary strings"),
    ),
}  # fmt: skip
_COMPILED = {name: tuple((weight, re.compile(rule)) for weight, rule in rules) for name, rules in _RULES.items()}

_NUMBER_NAMES = re.compile(r"^(n|m|k|x|y|r|num|number|val|value|integer|side|length|width|height|base|[a-z]?\d)$")
_LIST_NAMES = re.compile(r"^(nums|numbers|lst|l|arr|array|list\w*|\w*list|\w*array|elements|items|tup\w*|\w*tup(le)?\w*|xs)$")
_TEXT_NAMES = re.compile(r"^(s|text|string|str\w*|word\w*|sentence|\w*string\w*|message|txt|char\w*)$")


def category_of(problem: Problem) -> str:
    """The category of ``problem``, one of :data:`CATEGORIES`; among equal scores the first. Reads prompt and entry point only."""
    function = _function(problem)
    description = _description(function, problem.prompt)
    scores = dict.fromkeys(CATEGORIES, 0.0)
    for name, gain in _MATERIALS.get(_material(function, description), {}).items():
        scores[name] += gain
    called = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", problem.entry_point).lower()
    *_, returned = description.rpartition("return")
    for text in (f"{called}. {description}", returned if returned != description else ""):
        for name, rules in _COMPILED.items():
            scores[name] += sum(weight for weight, rule in rules if rule.search(text))
    return max(CATEGORIES, key=lambda name: scores[name])


def _function(problem: Problem) -> ast.FunctionDef | None:
    """The function to complete, as the prompt states it; None if the prompt is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape in somebody's docstring
            module = ast.parse(problem.prompt + "\n    pass\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    named = [part for part in module.body if isinstance(part, ast.FunctionDef) and part.name == problem.entry_point]
    return named[-1] if named else None


def _description(function: ast.FunctionDef | None, prompt: str) -> str:
    """What the docstring says before its first example, in lower case and on one line."""
    text = (function and ast.get_docstring(function)) or prompt
    text = re.split(r">>>|\bassert |\bexamples?\b *(\d|:|\n)|\bfor example\b", text, maxsplit=1, flags=re.IGNORECASE)[0] or text
    return " ".join(text.lower().split()).removeprefix("write a python function to ").removeprefix("write a function to ")


def _material(function: ast.FunctionDef | None, description: str) -> str:
    """What the function works on: a key of ``_MATERIALS``, or "" where nothing tells."""
    if function is None:
        return ""
    kinds = list(_example(function)) or [_kind_of_parameter(argument) for argument in function.args.args]
    if "dict" in kinds:
        return "dict"
    if kinds.count("list") > 1 or ([argument.arg for argument in function.args.args] == ["a", "b"] and not any(kinds)):
        return "lists"
    return next((kind for kind in ("list", "text", "number") if kind in kinds), "")


def _example(function: ast.FunctionDef) -> Iterator[str]:
    """Kinds of the arguments in the first call of the function that its docstring shows."""
    docstring = ast.get_docstring(function) or ""
    start = docstring.find(f"{function.name}(")
    for end in (match.end() for match in re.finditer(r"\)", docstring[start:])) if start >= 0 else ():
        try:
            call = ast.parse(docstring[start : start + end], mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if isinstance(call, ast.Call):
            yield from map(_kind_of_value, call.args)
        return


def _kind_of_value(node: ast.expr) -> str:
    match node:
        case ast.List() | ast.Tuple() | ast.Set():
            return "list"
        case ast.Dict():
            return "dict"
        case ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float()) | ast.UnaryOp():
            return "number"
    return ""


def _kind_of_parameter(argument: ast.arg) -> str:
    try:
        annotation = ast.unparse(argument.annotation).lower() if argument.annotation else ""
    except RecursionError:
        return ""
    for word, kind in (("dict", "dict"), ("list", "list"), ("tuple", "list"), ("str", "text"), ("int", "number"), ("float", "number")):
        if annotation.startswith(word):
            return kind
    names = (("number", _NUMBER_NAMES), ("list", _LIST_NAMES), ("text", _TEXT_NAMES))
    return next((kind for kind, rule in names if rule.match(argument.arg)), "")
