"""Where a row says that it comes from."""

import subprocess
from pathlib import Path

import pytest

import knexa
from knexa.study.rows import add_origin, read_origin, source_commit


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package in a checkout that has results, too."""
    for name in ("src/code.py", "results/rows.jsonl"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    return tmp_path / "src"


def test_rows_that_a_measurement_appends_are_no_change_of_the_source(source: Path) -> None:
    (source.parent / "results" / "rows.jsonl").write_text("1\n2\n")
    assert source_commit(source) == git(source, "rev-parse", "--short=12", "HEAD")


@pytest.mark.parametrize("staged", [False, True])
def test_a_source_that_differs_from_its_commit_says_so(source: Path, staged: bool) -> None:
    (source / "code.py").write_text("2\n")
    if staged:
        git(source, "add", ".")
    assert source_commit(source) == git(source, "rev-parse", "--short=12", "HEAD") + "+changes"


def test_a_source_without_a_checkout_tells_its_version(tmp_path: Path) -> None:
    assert source_commit(tmp_path) == f"knexa {knexa.__version__}"


def test_a_run_that_goes_on_elsewhere_names_both(tmp_path: Path) -> None:
    """In the order in which they ran it, each once."""
    assert read_origin(tmp_path) == {"commit": "unknown", "machine": "unknown"}
    for commit in ("aaa", "aaa", "bbb", "aaa"):
        add_origin(tmp_path, {"commit": commit, "machine": "two cores, here"})
    assert read_origin(tmp_path) == {"commit": "aaa, then bbb", "machine": "two cores, here"}
