from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.normal_form import distinct, identities, normal_form, share_nothing
from knexa.evaluation.problems import Problem

ADD = Problem(
    "a",
    "arithmetic",
    'def add(x, y):\n    """Add."""\n',
    "    total = x + y\n    return total\n",
    "def check(candidate):\n    pass\n",
    "add",
)
RENAMED = Problem(
    "b", "arithmetic", "def plus(first: int, other) -> int:\n", "    s = first  +  other  # sum\n    return s\n", ADD.test, "plus"
)


def test_names_docstrings_annotations_and_layout_make_no_other_program() -> None:
    """Two problems that ask for the same body are one."""
    assert normal_form(ADD.prompt + ADD.solution) == normal_form(RENAMED.prompt + RENAMED.solution)


def test_constants_functions_called_and_the_order_of_arguments_make_another_program() -> None:
    """What a program does is not renamed away."""
    forms = {normal_form(f"def f(a, b):\n    return {body}\n") for body in ("a - b", "b - a", "a - 1", "a - 2", "max(a, b)", "min(a, b)")}
    assert len(forms) == 6


@given(st.text(max_size=100))
def test_any_text_has_a_normal_form(text: str) -> None:
    """What is no Python is compared by its words, whatever it holds."""
    assert normal_form(text) == normal_form(text + "\n")


def test_a_program_too_deep_for_a_tree_is_compared_by_its_words() -> None:
    """Such as a sum of thousands."""
    deep = replace(ADD, solution=f"    return {' + '.join(['x'] * 3000)}\n")
    assert identities(deep) == identities(replace(deep, solution=deep.solution.replace(" + ", "  +  ")))
    assert not identities(deep) & {key for key in identities(ADD) if key.startswith("program")}


def test_the_first_of_equal_problems_is_kept_and_the_others_are_told() -> None:
    """Order decides; a problem equal to one that was left out is left out too."""
    third = replace(RENAMED, task_id="c", solution="    return first * other\n")  # the prompt of the second
    other = replace(ADD, task_id="d", prompt="def times(x, y):\n", solution="    return x * y * 2\n")
    assert distinct([ADD, RENAMED, third, other]) == ([ADD, other], [RENAMED, third])


def test_texts_without_tests_are_told_apart_by_their_prompts_alone() -> None:
    """Equal answers to different questions are no copies; whitespace makes no other question."""
    question = Problem("a", "words", "Is it red?", "no", "", "")
    assert not identities(question) & identities(replace(question, prompt="Is it blue?"))
    assert identities(question) == identities(replace(question, prompt="Is  it\nred?"))


def test_who_shares_what_with_whom_is_said() -> None:
    """The sentence names both problems and both groups."""
    assert share_nothing([("private", [ADD]), ("test", [])]) is None
    assert share_nothing([("private", [ADD, ADD]), ("test", [RENAMED])]) == "b of test and a of private have the same program"
