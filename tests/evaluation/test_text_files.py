from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.errors import ConfigurationError
from knexa.evaluation.problem_files import UNCATEGORISED, load_problems
from knexa.evaluation.problems import Problem
from knexa.evaluation.text_files import text_problems

PLAIN = {"prompt": "bp hi", "completion": "Blood pressure is high."}
CHAT = {
    "messages": [
        {"role": "system", "content": "Write it out."},
        {"role": "user", "content": "bp hi"},
        {"role": "assistant", "content": "Blood pressure is high."},
    ]
}
CODE = {"prompt": "def f(x):", "completion": "    return x\n", "test": "def check(f):\n    assert f(1) == 1\n", "entry_point": "f"}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_prompt_and_its_completion_are_a_problem_without_a_test(tmp_path: Path) -> None:
    """Its id is its line; a prompt ends with whitespace, so that an answer does not stick to it."""
    (problem,) = load_problems(_file(tmp_path / "mine.jsonl", PLAIN))
    assert problem == Problem("row/1", UNCATEGORISED, "bp hi\n", "Blood pressure is high.", "", "")
    assert not problem.runnable


def test_a_chat_becomes_plain_text_with_its_roles(tmp_path: Path) -> None:
    """The assistant's last message is the completion; what came before is the prompt, the same for every model."""
    earlier = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes?"}]
    longer = {"messages": [*earlier, *CHAT["messages"][1:]]}
    first, second = load_problems(_file(tmp_path / "mine.jsonl", CHAT, longer))
    assert first.prompt == "system: Write it out.\nuser: bp hi\nassistant:\n"
    assert second.prompt == "user: hello\nassistant: yes?\nuser: bp hi\nassistant:\n"
    assert first.solution == second.solution == "Blood pressure is high."


def test_a_row_may_name_its_category_and_bring_a_test(tmp_path: Path) -> None:
    """Both, in a file whose other rows do neither."""
    plain, tested = load_problems(_file(tmp_path / "mine.jsonl", PLAIN, "", CODE | {"category": " own words "}))
    assert (tested.task_id, tested.category, tested.entry_point, tested.runnable) == ("row/3", "own words", "f", True)
    assert not plain.runnable


@pytest.mark.parametrize("change", [{"prompt": 'def f(x):\n\t"""x"""'}, {"prompt": "def g():\n  return 1\n\ndef f(x):\n  'x'"}])
def test_a_body_may_be_indented_as_its_author_likes(tmp_path: Path, change: dict[str, Any]) -> None:
    """By a tab, or by two blanks, as long as the prompt is."""
    indent = "\t" if "\t" in change["prompt"] else "  "
    (problem,) = load_problems(_file(tmp_path / "mine.jsonl", CODE | change | {"completion": f"{indent}return x\n"}))
    assert problem.runnable


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (CHAT | {"test": CODE["test"], "entry_point": "f"}, "'test' is for a 'prompt' with its 'completion'"),
        (CODE | {"prompt": "Write a function f."}, "'prompt' must end with a Python function that a body completes"),
        (CODE | {"entry_point": "g"}, "define 'entry_point' 'g'"),
        (CODE | {"prompt": "def f(x):\n    return x\ny = 1"}, "'prompt' must end with a Python function"),
        (CODE | {"test": "assert f(1) == 1"}, "'test' must be Python that defines check(candidate)"),
        (CODE | {"test": "def check(f:"}, "'test' must be Python that defines check(candidate)"),
    ],
)
def test_a_row_whose_test_nothing_could_pass_is_refused(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    """A curriculum would ask for it again and again."""
    with pytest.raises(ConfigurationError, match=r"mine.jsonl, line 2: ") as error:
        load_problems(_file(tmp_path / "mine.jsonl", PLAIN, row))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "a"}, "key 'completion' is missing"),
        ({"completion": "a"}, "key 'prompt' is missing"),
        (PLAIN | {"completion": 3}, "key 'completion' must be a text that is not blank, not 3"),
        (PLAIN | {"completion": " "}, "key 'completion' must be a text that is not blank"),
        (PLAIN | {"catgory": "x"}, "unknown key 'catgory'; allowed: prompt, completion, messages"),
        (PLAIN | CHAT, "either 'prompt' and 'completion' or 'messages'"),
        (PLAIN | {"test": "x"}, "'test' and 'entry_point' go together"),
        ({"messages": "hello"}, "'messages' must be a list of at least two"),
        ({"messages": CHAT["messages"][:2]}, "the last message must be the assistant's"),
        ({"messages": [{"role": "robot", "content": "x"}, CHAT["messages"][2]]}, "a message has 'role'"),
        ({"messages": [{"role": "user", "content": ""}, CHAT["messages"][2]]}, "key 'content' must be a text"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    """So that its author can go there."""
    with pytest.raises(ConfigurationError, match=r"mine.jsonl, line 3: ") as error:
        load_problems(_file(tmp_path / "mine.jsonl", PLAIN, "", row))
    assert words in str(error.value)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
def test_whatever_stands_in_a_row_it_is_a_problem_or_a_configuration_error(value: Any) -> None:
    """No JSON value under a known key is a crash."""
    for key in ("prompt", "completion", "messages", "category"):
        complaint = "mine.jsonl, line 1: "
        try:
            text_problems("mine.jsonl", [(1, PLAIN | {key: value})], UNCATEGORISED)
        except ConfigurationError as error:
            complaint = str(error)
        assert complaint.startswith("mine.jsonl, line 1: ")
