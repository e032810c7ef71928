"""The command line's promises: what is wrong ends in exit code 2 with one sentence, and nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from command_line import knexa
from synthetic_run import write_run

from knexa.cli.compare import seed_range
from knexa.config import load_config
from knexa.errors import ConfigurationError
from knexa.strategies import STRATEGIES


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


PROBLEM = {
    "task_id": "t/0",
    "prompt": "def f():\n",
    "canonical_solution": "    return 1\n",
    "test": "def check(c):\n    assert c() == 1\n",
    "entry_point": "f",
}

MISTAKES = [
    (["run", "--set", "local.stepz=1"], "--set local.stepz: unknown key; did you mean 'steps'? allowed: learning_rate"),
    (["run", "--set", "local.steps=-1"], "--set local.steps: found -1; allowed: a whole number of at least 0"),
    (["run", "--rounds", "0"], "--rounds: found 0; allowed: a whole number of at least 1"),
    (["run", "--seed", "-1"], "--seed: found -1; allowed: a whole number of at least 0"),
    (["run", "--strategy", "best"], "--strategy: found 'best'; allowed: local, random"),
    (["run", "--preset", "huge"], "--preset: found 'huge'; allowed: crowd, paper, quickstart"),
    (["run", "nowhere.toml"], "nowhere.toml: cannot be read (No such file or directory)"),
    (["run", "--set", "agents.0.backbone=embedded:gtp2"], "--set agents.0.backbone: found 'embedded:gtp2'; allowed: embedded:qwen2"),
    (["run", "--set", "agents.0.backbone=./nowhere"], "--set agents.0.backbone: found './nowhere'; allowed: an existing folder"),
    (
        ["run", "--set", "data.problems=nowhere.jsonl"],
        "--set data.problems: found 'nowhere.jsonl'; allowed: 'embedded', 'notes', 'human-eval+mbpp' or",
    ),
    (["run", "--set", "data.private=1000000"], "data.private = 1000000: there are only"),
    (["run", "--set", "matching.matchmaker=nowhere:Nobody"], "matching.matchmaker = 'nowhere:Nobody': cannot import 'nowhere'"),
    (
        ["up", "--set", 'agents.0.refuses=["agent-6"]', "--agents", "2"],
        "--agents 2: key agents.0.refuses: found 'agent-6'; allowed: names of agents: agent-1, agent-2",
    ),
    (["run", "--resume", "nowhere"], "nowhere is no run folder"),
    (["run", "--resume", "nowhere", "--rounds", "3"], "--resume: found together with --rounds; allowed: alone"),
    (
        ["run", "--resume", "nowhere", "--set", "local.steps=3"],
        "--resume: found together with --set local.steps=3; allowed: alone, or with --set engine.kind and --set engine.workers",
    ),
    (["run", "--set", 'faults=[{kind="lying",share=1.0}]'], "--set faults: found 'every agent hostile'; allowed: at least one that is not"),
    (["run", "--set", "data.minimum=1"], "--set data.minimum: found 1; allowed: a whole number of at least 2"),
    (["compare", "--seeds", "4-0"], "--seeds: found '4-0'; allowed: whole numbers from 0"),
    (["compare", "--seeds", "x"], "--seeds: found 'x'; allowed: whole numbers"),
    (["compare", "--strategies", "random,knxa"], "--strategies: found 'knxa'; allowed: local, random"),
    (["compare", "--baseline", "best"], "--baseline: found 'best'; allowed: local, random"),
    (["compare", "--set", "local.stepz=1"], "--set local.stepz: unknown key"),
    (["report", "nowhere"], "nowhere is no run folder"),
    (["export", "nowhere", "--tensorboard", "curves"], "nowhere is no run folder"),
    (["export", "nowhere"], "knexa export: found no target; allowed: --tensorboard DIR, --mlflow URI, or both"),
]


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str], sentence: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; stderr is one line that names key, what was found and what is allowed; no traceback, no file."""
    assert knexa(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"knexa: {sentence}")
    assert output.err.count("\n") == 1
    assert list(empty_folder.iterdir()) == []


def test_an_unknown_category_in_a_problem_file_is_named(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, category found, categories allowed; no run folder."""
    rows = [{**PROBLEM, "task_id": f"t/{n}", "prompt": f"def f():\n    # {n}\n", "category": "cooking"} for n in range(120)]
    (empty_folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert knexa("run", "--set", "data.problems=mine.jsonl") == 2
    assert capsys.readouterr().err.startswith("knexa: mine.jsonl: category 'cooking' is unknown; allowed: arithmetic, number_theory")
    assert [path.name for path in empty_folder.iterdir()] == ["mine.jsonl"]


@pytest.mark.parametrize("where", [[], ["--out", "mine"]])
def test_a_model_that_cannot_be_loaded_leaves_no_run_folder(
    where: list[str], empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a model passes the first checks; the agent that fails to load it is named, and the run folder goes."""
    (empty_folder / "empty").mkdir()
    assert knexa("run", "--set", "agents.0.backbone=./empty", "--set", "engine.kind=serial", *where) == 2
    assert 'agent "agent-1"' in capsys.readouterr().err
    assert [path.name for path in empty_folder.rglob("*") if path.is_file()] == []
    assert not (empty_folder / "mine").exists()


def test_an_unknown_option_is_an_error_of_the_same_code() -> None:
    """Usage mistakes end with 2 as well."""
    assert knexa("run", "--no-such-option") == 2
    assert knexa("dance") == 2


def test_report_prints_where_the_page_is(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path on stdout can be opened."""
    write_run(empty_folder / "run")
    assert knexa("report", "run") == 0
    assert capsys.readouterr().out == "run/report.html\n"
    assert (empty_folder / "run" / "report.html").is_file()


def test_a_new_project_resolves_and_its_matchmaker_loads(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ``knexa new`` writes works as it stands, and never replaces a file."""
    assert knexa("new", "clinics") == 0
    config = load_config("clinics/federation.toml")
    assert [agent.name for agent in config.agents] == ["clinic-a", "clinic-b", "clinic-c"]
    assert config.local == load_config().local

    from knexa.matching import build_matchmaker

    monkeypatch.syspath_prepend(empty_folder / "clinics")
    plugged = config.matching.model_copy(update={"matchmaker": "matchmaker:WeakestFirst"})
    assert build_matchmaker(plugged, config.reward, config.rounds, config.seed).state()
    before = (empty_folder / "clinics" / "federation.toml").read_text()
    assert knexa("new", "clinics") == 2
    assert "exists already and is not overwritten" in capsys.readouterr().err
    assert (empty_folder / "clinics" / "federation.toml").read_text() == before


def test_every_commented_setting_of_a_new_project_is_what_holds(empty_folder: Path) -> None:
    """Removing the "# " in front of all settings changes nothing."""
    assert knexa("new", "clinics") == 0
    head, *tables = (empty_folder / "clinics" / "federation.toml").read_text().split("\n\n[")
    # Each setting is two lines: what it is, and its default.
    shown = [
        line.removeprefix("# ") if number % 2 == 0 else line
        for table in tables
        if not table.startswith("[agents")
        for number, line in enumerate(("[" + table).strip().splitlines())
    ]
    (empty_folder / "all.toml").write_text("\n".join([head.split("# One table")[0], *shown]))
    assert tomllib.loads((empty_folder / "all.toml").read_text())["local"]["batch_size"] == load_config().local.batch_size
    assert load_config("all.toml", preset="quickstart") == load_config(rounds=4)


def test_help_teaches_and_is_quick() -> None:
    """Help lists every strategy, shows examples, and does not wait for torch."""
    began = time.perf_counter()
    code = """
import sys
from knexa.cli import main
sys.argv = ['knexa', 'run', '--help']
try:
    main()
finally:
    assert 'torch' not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert time.perf_counter() - began < 10
    assert all(name in done.stdout for name in STRATEGIES)
    assert "knexa run --preset crowd" in done.stdout


def test_seed_ranges() -> None:
    """Ranges and lists mix; order and repetition do not matter."""
    assert seed_range("0-4") == [0, 1, 2, 3, 4]
    assert seed_range("7, 1,0-2") == [0, 1, 2, 7]
    for wrong in ("", "1-", "-1", "3-1", "1,,2", "0-99999", "1.5"):
        with pytest.raises(ConfigurationError, match="--seeds"):
            seed_range(wrong)


def test_exit_codes_are_documented() -> None:
    """Every error of the package stands in docs/exit-codes.md with its number."""
    from knexa import errors

    text = (Path(__file__).parents[1] / "docs" / "exit-codes.md").read_text()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KnexaError)]
    assert all(f"`{kind.__name__}`" in text and f"| {kind.exit_code} |" in text for kind in kinds)
