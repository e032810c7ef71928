"""A comparison's tables: what they say, and that nothing of it breaks."""

from __future__ import annotations

import pytest
from rich.console import Console

from knexa.study.rows import Row
from knexa.study.tables import markdown, paired_cells, rich_tables


def rows(**scores: list[float]) -> list[Row]:
    shared = {"rounds": 5, "commit": "abc", "machine": "two cores", "scored": 0, "server_steps": 0, "server_texts": 0, "loss": 0.5}
    return [{"strategy": name, "seed": seed, "pass@1": one, **shared} for name, given in scores.items() for seed, one in enumerate(given)]


def test_differences_are_paired_by_seed_and_starred_where_the_interval_excludes_zero() -> None:
    """In points, with their sign; the baseline has none to itself."""
    given = rows(random=[0.10, 0.20, 0.30], better=[0.20, 0.31, 0.40], same=[0.11, 0.20, 0.29])
    better, same = paired_cells(given, "random")
    assert better[:2] == ["better", "3"]
    assert better[2].startswith("+10.3 ± ")
    assert better[2].endswith("*")
    assert same[2].startswith("+0.0 ± ")
    assert not same[2].endswith("*")


@pytest.mark.parametrize("baseline", ["random", "local"])
def test_one_strategy_alone_has_no_table_of_differences(baseline: str) -> None:
    """An empty one would say that there is something to see."""
    assert len(rich_tables(rows(random=[0.1]), baseline, 80)) == 1
    assert "Difference" not in markdown(rows(random=[0.1]), baseline)
    assert len(rich_tables(rows(random=[0.1], local=[0.2]), baseline, 80)) == 2


def test_a_title_is_wider_than_its_table_and_stays_on_one_line() -> None:
    """Few columns make a narrow table."""
    console = Console(width=120, record=True)
    for table in rich_tables(rows(random=[0.1], local=[0.2]), "random", console.width):
        console.print(table)
    lines = [line.strip() for line in console.export_text(styles=False).splitlines()]
    assert "Final scores, mean over seeds ± half the 95 % interval" in lines
    assert "Difference to random at equal seeds (* interval without zero)" in lines


@pytest.mark.parametrize("width", [60, 70, 80, 100, 140])
def test_no_number_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    """Columns are left out instead, named below; in a wide one nothing is."""
    given = [
        {**row, "pass@5": 0.3 + 0.1 * row["seed"], "pass@10": 0.4, "codebleu": 0.5 + 0.2 * row["seed"]}
        for row in rows(**{"random": [0.1, 0.9], "knexa-no-curriculum": [0.2, 0.6]})
    ]
    console = Console(width=width, record=True)
    for table in rich_tables(given, "random", width):
        console.print(table)
    text = console.export_text(styles=False)
    assert "…" not in text
    assert "knexa-no-curriculum" in text
    shown = [heading for heading in ("Pass@1 %", "Pass@5 %", "Pass@10 %", "CodeBLEU %", "loss") if heading in text]
    assert len(shown) == 5  # in the head or below
    assert ("No room here for" in text) == (width < 100)


def test_every_commit_and_machine_of_the_rows_is_named_once() -> None:
    """A comparison that went on after a change, or elsewhere, does not pass for one of a single state."""
    given = [{**row, "commit": commit} for row, commit in zip(rows(random=[0.1, 0.2, 0.3]), ("aaa", "bbb", "aaa"), strict=True)]
    assert "commit aaa; bbb, two cores." in markdown(given, "random")
