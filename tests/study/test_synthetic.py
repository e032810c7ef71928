"""The study: trajectories, gains, and the command."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from knexa.cli.app import app
from knexa.errors import ConfigurationError, Interrupted, RunFolderError
from knexa.study.gains import gains, share_of_headroom
from knexa.study.methods import METHODS
from knexa.study.statistics import mean_interval
from knexa.study.study_rows import StudyRow, read_study_rows, write_study_rows
from knexa.study.synthetic import Cell, finished, grid, run_cell, run_study
from knexa.study.trajectory import Trajectory, simulate
from knexa.study.worlds import WORLDS
from knexa.study.worlds.additive import AdditiveWorld
from knexa.study.worlds.compatibility import CompatibilityWorld
from knexa.study.worlds.release_c import ReleaseWorldC
from knexa.study.worlds.transfer import TransferWorld
from knexa.study.worlds.world import Heterogeneity, World


def trajectory(method: str, build: type[World] = CompatibilityWorld, rounds: int = 20, agents: int = 8, seed: int = 0) -> Trajectory:
    world = build(agents, "high", seed)  # type: ignore[call-arg]
    return simulate(world, METHODS[method](world, rounds, seed), rounds, seed)


@pytest.mark.parametrize("build", [AdditiveWorld, CompatibilityWorld])
@pytest.mark.parametrize("method", ["random", "hetero-greedy", "paper", "gap", "joint", "gap-kernel"])
def test_no_method_beats_the_noiseless_oracle_in_any_round(method: str, build: type[World]) -> None:
    """Regret never falls where worth is fixed; the oracle has none."""
    assert (np.diff(trajectory(method, build).regret, prepend=0.0) >= -1e-9).all()
    np.testing.assert_allclose(trajectory("oracle", build).regret, 0.0, atol=1e-9)


def test_every_method_meets_the_same_worlds() -> None:
    """In round 1 the oracle's best is the same for all, and in a fixed world in every round."""
    runs = [trajectory(method) for method in ("random", "gap", "oracle")]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.best, runs[0].best)


@pytest.mark.parametrize("build", [CompatibilityWorld, TransferWorld])
def test_a_trajectory_depends_on_its_seed_alone(build: type[World]) -> None:
    """Run twice it is the same to the bit; another seed is another trajectory."""
    first, again, other = (trajectory("gap-thompson", build, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.worth, again.worth)
    assert not np.array_equal(first.worth, other.worth)


def test_a_bandit_learns_within_a_hundred_rounds() -> None:
    """In the compatibility world, with 16 agents, the gap bandit takes more than half of the oracle's headroom."""
    scores = {name: trajectory(name, rounds=100, agents=16).score for name in ("random", "gap", "oracle")}
    assert (scores["gap"] - scores["random"]) / (scores["oracle"] - scores["random"]) > 0.5


def test_regret_that_grows_as_a_power_has_that_exponent() -> None:
    """The fit on logarithms finds the power again; no regret has none."""
    t = np.arange(1, 201, dtype=float)
    blank = np.full(200, np.nan)
    for power in (0.5, 1.0):
        run = Trajectory(-np.diff(t**power, prepend=0.0), np.zeros(200), blank, blank, np.zeros(2, dtype=np.int64), 1.0)
        assert run.regret_exponent() == pytest.approx(power, abs=1e-6)
    none = Trajectory(np.zeros(200), np.zeros(200), blank, blank, np.zeros(2, dtype=np.int64), 1.0)
    assert math.isnan(none.regret_exponent())


def test_the_share_of_headroom_is_a_ratio_of_means_with_its_spread() -> None:
    """0 for the floor, 1 for the ceiling, both without spread; halfway it is a half; without headroom it is nothing."""
    floors, ceilings = [1.0, 2.0, 3.0], [3.0, 5.0, 4.0]
    for scores, expected in ((floors, 0.0), (ceilings, 1.0)):
        share = share_of_headroom(scores, floors, ceilings)
        assert (share.mean, share.low, share.high) == pytest.approx((expected,) * 3)
    assert share_of_headroom([2.0, 3.5, 3.5], floors, ceilings).mean == pytest.approx(0.5)
    assert math.isnan(share_of_headroom(floors, floors, floors).mean)


def test_the_intervals_of_a_share_cover_the_truth_as_often_as_they_say() -> None:
    """500 studies of 10 seeds, true share 0.7: between 90 and 99 % of the intervals hold it."""
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(500):
        floors = random.normal(1.0, 0.1, 10)
        room = random.normal(2.0, 0.3, 10)
        found = share_of_headroom((floors + 0.7 * room + random.normal(0, 0.2, 10)).tolist(), floors.tolist(), (floors + room).tolist())
        hits += found.low <= 0.7 <= found.high
    assert 0.90 <= hits / 500 <= 0.99


def test_rows_do_not_depend_on_the_number_of_workers() -> None:
    """But for their speed, two processes give what one gives, in the same order."""
    cells = grid(["compatibility"], ["high"], [6], ["gap"], [0, 1], 6)

    def fixed(rows: list[StudyRow]) -> list[dict[str, object]]:
        return [{key: str(value) for key, value in vars_of(row).items() if key != "decisions_per_second"} for row in rows]

    assert fixed(run_study(cells, 2, lambda row: None)) == fixed(run_study(cells, 1, lambda row: None))


def vars_of(row: StudyRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in StudyRow.__dataclass_fields__}


def test_gain_is_relative_to_random_of_the_same_seed() -> None:
    """Random gains nothing on itself, the oracle has all of the headroom."""
    rows = [run_cell(Cell("compatibility", "high", 6, method, seed, 5)) for seed in (0, 1, 2) for method in ("random", "gap", "oracle")]
    found = {one.method: one for one in gains(rows)}
    assert found["random"].gain.mean == 0.0
    assert found["oracle"].share.mean == 1.0
    scores = {row.seed: row.score for row in rows if row.method == "random"}
    expected = [(row.score - scores[row.seed]) / scores[row.seed] for row in rows if row.method == "oracle"]
    assert found["oracle"].gain == mean_interval(expected)


def test_a_world_without_low_heterogeneity_is_left_out_there() -> None:
    """release-c knows only one kind; asked for that alone, the study says so."""
    assert {cell.heterogeneity for cell in grid(["release-c"], ["high", "low"], [4], [], [0], 5)} == {"high"}
    with pytest.raises(ConfigurationError, match="high heterogeneity only"):
        grid(["release-c"], ["low"], [4], [], [0], 5)


def test_the_command_writes_rows_figures_and_a_page(tmp_path: Path) -> None:
    """One command: CSV with a line a trajectory, SVG files that stand alone, a page with all tables, JSON for scripts."""
    out = tmp_path / "study"
    arguments = ["study", "--worlds", "compatibility", "--agents", "4,6", "--seeds", "0-1", "--rounds", "5", "--methods", "gap"]
    done = CliRunner().invoke(app, [*arguments, "--workers", "1", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    with (out / "rows.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2 * 2 * 3
    assert len(json.loads(done.stdout)["rows"]) == 12
    kinds = ("convergence", "difference", "gain", "regret", "scale", "speed")
    drawn = {path.name: path.read_text(encoding="utf-8") for path in (out / "figures").iterdir()}
    assert sorted(drawn) == sorted(f"compatibility-high-{kind}.{form}" for kind in kinds for form in ("csv", "svg"))
    assert all(text.startswith("<svg") and "<style>" in text for name, text in drawn.items() if name.endswith(".svg"))
    page = (out / "study.html").read_text()
    assert "compatibility, high heterogeneity, 6 agents" in page
    captions = re.findall(r'aria-label="([^"]+)".*?<figcaption>([^<]+)</figcaption>', page, flags=re.S)
    assert len(captions) == page.count("<svg") == 6
    assert all(caption.lower() == f"{title}.".lower() for title, caption in captions)  # read and heard alike


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--worlds", "flat"),
        ("--agents", "1"),
        ("--agents", "x"),
        ("--agents", "²"),
        ("--agents", "9" * 5000),
        ("--methods", "best"),
        ("--heterogeneity", "some"),
        ("--figures", "pie"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(option: str, value: str, tmp_path: Path) -> None:
    """One sentence; nothing is written."""
    done = CliRunner().invoke(app, ["study", option, value, "--out", str(tmp_path / "study")])
    assert isinstance(done.exception, ConfigurationError)
    assert option in str(done.exception)
    assert value in str(done.exception)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("out", ["taken", "taken/study"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in its place, or above it: no trajectory is run."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr("knexa.study.synthetic.run_cell", lambda cell: pytest.fail("work was begun"))
    done = CliRunner().invoke(app, ["study", "--agents", "4", "--seeds", "0", "--workers", "1", "--out", str(tmp_path / out)])
    assert isinstance(done.exception, RunFolderError)
    assert str(done.exception) == f"{tmp_path / out}: cannot be written (Not a directory); choose another --out"


def test_a_study_that_cannot_be_written_at_its_end_says_what_is_in_the_way(tmp_path: Path) -> None:
    """A folder where a file of the study belongs."""
    (tmp_path / "study.html").mkdir()
    done = CliRunner().invoke(
        app,
        ["study", "--worlds", "additive", "--agents", "4", "--seeds", "0-1", "--rounds", "4", "--workers", "1", "--out", str(tmp_path)],
    )
    assert isinstance(done.exception, RunFolderError)
    assert f"{tmp_path / 'study.html'}: cannot be written (Is a directory)" in str(done.exception)


@pytest.mark.parametrize("damaged", ["additive,high\n", ",".join("x" * 16) + "\n", ",".join(["1"] * 17) + "\n"])
def test_a_damaged_row_is_named_by_its_line(damaged: str, tmp_path: Path) -> None:
    """Cut short, words for numbers, a field too many."""
    write_study_rows([], tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open("a") as file:
        file.write(damaged)
    with pytest.raises(ConfigurationError, match=r"rows\.csv, line 2: no row of a study"):
        read_study_rows(tmp_path / "rows.csv")


def test_what_is_no_table_of_rows_is_refused(tmp_path: Path) -> None:
    """Bytes that are no text are no traceback either."""
    (tmp_path / "rows.csv").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"rows\.csv: its columns are not those"):
        read_study_rows(tmp_path / "rows.csv")


def test_a_study_that_is_stopped_keeps_the_seeds_that_all_methods_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the third seed: two seeds are written, exit by Interrupted, and the message says where."""
    ran = 0

    def until_stopped(cell: Cell) -> StudyRow:
        nonlocal ran
        ran += 1
        if ran == 8:
            raise KeyboardInterrupt
        return run_cell(cell)

    monkeypatch.setattr("knexa.study.synthetic.run_cell", until_stopped)
    out = tmp_path / "study"
    options = ["--worlds", "compatibility", "--agents", "4", "--seeds", "0-4", "--rounds", "4", "--methods", "gap", "--workers", "1"]
    done = CliRunner().invoke(app, ["study", *options, "--out", str(out)])
    assert isinstance(done.exception, Interrupted)
    assert str(out) in str(done.exception)
    with (out / "rows.csv").open(encoding="utf-8") as file:
        assert [(row["seed"], row["method"]) for row in csv.DictReader(file)] == [
            (seed, method) for seed in "01" for method in ("random", "gap", "oracle")
        ]


def studied(out: Path, *options: str) -> Path:
    """The folder of a small study: two sizes, two seeds."""
    arguments = ["study", "--worlds", "additive", "--agents", "4,6", "--seeds", "0-1", "--rounds", "20", "--methods", "gap"]
    done = CliRunner().invoke(app, [*arguments, "--workers", "1", "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    return out


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_drawn_again_give_the_same_figures(tmp_path: Path) -> None:
    """What a study wrote is all that its figures need: read back, every drawing is the same byte for byte, as is every number."""
    first, again = studied(tmp_path / "first"), tmp_path / "again"
    done = CliRunner().invoke(app, ["study", "--rows", str(first / "rows.csv"), "--out", str(again)])
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (first / "figures").iterdir())
    assert names == sorted(path.name for path in (again / "figures").iterdir())
    assert len(names) == 12
    for name in names:
        assert (again / "figures" / name).read_bytes() == (first / "figures" / name).read_bytes()


def test_one_figure_can_be_asked_for_and_holds_every_size(tmp_path: Path) -> None:
    """`--figures difference` writes that one alone; its table has each method and size with the mean of the rows."""
    out = studied(tmp_path / "study", "--figures", "difference")
    assert sorted(path.name for path in (out / "figures").iterdir()) == ["additive-high-difference.csv", "additive-high-difference.svg"]
    rows = read_study_rows(out / "rows.csv")
    for line in table(out / "figures" / "additive-high-difference.csv"):
        ours = [row.difference for row in rows if (row.method, str(row.agents)) == (line["method"], line["agents"])]
        assert len(ours) == 2
        assert float(line["√JS of chosen pairs"]) == pytest.approx(np.mean(ours), rel=1e-5)


def test_the_convergence_curve_ends_at_the_score(tmp_path: Path) -> None:
    """After the last round the score so far is the score; every row says what it was measured with."""
    rows = read_study_rows(studied(tmp_path / "study") / "rows.csv")
    assert len(rows) == 12
    for row in rows:
        assert row.pace[-1] == pytest.approx(row.score, rel=1e-5)
        assert row.commit
        assert row.machine


def test_rows_without_their_floor_are_not_drawn(tmp_path: Path) -> None:
    """A gain needs random of the same seed: one sentence names what is missing; so does one for a file that holds no rows."""
    rows = read_study_rows(studied(tmp_path / "study") / "rows.csv")
    write_study_rows([row for row in rows if (row.method, row.seed) != ("random", 1)], tmp_path / "some.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name, said in (("some.csv", "seed 1 has no row of random"), ("other.csv", "its columns"), ("none.csv", "not a file")):
        done = CliRunner().invoke(app, ["study", "--rows", str(tmp_path / name), "--out", str(tmp_path / "drawn")])
        assert isinstance(done.exception, ConfigurationError)
        assert said in str(done.exception)


def test_the_release_s_bandit_learns_the_release_s_world() -> None:
    """World C is linear in what `release` sees: within 60 rounds of 8 pairs it takes more than a third of the oracle's headroom."""
    scores = {
        name: np.mean([trajectory(name, ReleaseWorldC, 60, 16, seed).score for seed in range(3)])
        for name in ("random", "release", "oracle")
    }
    assert (scores["release"] - scores["random"]) / (scores["oracle"] - scores["random"]) > 1 / 3


def test_an_exact_probe_is_the_competence_and_a_sampled_one_is_not() -> None:
    """`transfer-exact` differs from `transfer` in what profiles say, and in nothing else."""
    exact, sampled = (WORLDS[name].build(6, "high", 1) for name in ("transfer-exact", "transfer"))
    np.testing.assert_array_equal(exact.worth(), sampled.worth())
    assert isinstance(exact, TransferWorld)
    for place, name in enumerate(exact.names):
        np.testing.assert_allclose(exact.profiles(1)[name].probe, exact.competence[place])
        assert set(np.round(np.multiply(sampled.profiles(1)[name].probe, 5), 9)) <= set(range(6))


@pytest.mark.parametrize("build", [AdditiveWorld, CompatibilityWorld, TransferWorld])
def test_agents_of_low_heterogeneity_are_closer_to_each_other(build: Callable[[int, Heterogeneity, int], World]) -> None:
    """In data by half, and in what an exchange is worth: its spread over pairs is at most two thirds of that with high heterogeneity."""
    for seed in range(3):
        high, low = build(24, "high", seed), build(24, "low", seed)
        apart = ~np.eye(24, dtype=bool)
        assert low.difference()[apart].mean() < high.difference()[apart].mean() / 2
        assert low.worth()[apart].std() < high.worth()[apart].std() * 2 / 3


def test_only_seeds_that_all_methods_finished_can_be_compared() -> None:
    """Rows in any order come back in the order of the cells, without those of a seed that lacks a method."""
    cells = grid(["compatibility"], ["high"], [4], [], [0, 1], 3)
    rows = [run_cell(cell) for cell in cells]
    assert finished(rows[::-1], cells) == rows
    assert [row.seed for row in finished(rows[:-1], cells)] == [0, 0]
    assert finished([], cells) == []
