"""The last lines of a comparison: what is significant, and what is not."""

from __future__ import annotations

from knexa.study.rows import Row
from knexa.study.verdicts import verdicts


def rows(**scores: list[float]) -> list[Row]:
    extra = {"scored": 0, "server_steps": 0, "server_texts": 0}
    return [
        {"strategy": name, "seed": seed, "pass@1": value, **extra} for name, given in scores.items() for seed, value in enumerate(given)
    ]


def test_a_difference_in_every_seed_is_significant_and_noise_is_not() -> None:
    """Points with their sign, and the corrected p."""
    base = [0.20, 0.22, 0.19, 0.21, 0.20]
    better = [value + 0.1 + 0.001 * seed for seed, value in enumerate(base)]
    noise = [0.21, 0.20, 0.20, 0.22, 0.19]
    head, significant, not_significant = verdicts(rows(random=base, knexa=better, local=noise), "random")
    assert "paired over 5 seeds" in head
    assert "for 2 comparisons" in head
    assert significant == "Significant (p < 0.05): knexa +10.2 (p < 0.001)."
    assert not_significant.startswith("Not significant: local +0.0 (p = ")


def test_one_seed_is_compared_over_problems() -> None:
    """A gain on nearly every problem is beyond the choice of problems, one on a few is not; that other seeds may differ is said."""
    base, better, luck = [0.2] * 100, [0.4] * 90 + [0.2] * 10, [0.2] * 98 + [1.0, 0.0]
    shares = {"random": base, "knexa": better, "local": luck}
    given = [{**row, "by_problem": shares[str(row["strategy"])]} for row in rows(random=[0.2], knexa=[0.38], local=[0.206])]
    head, beyond, not_beyond = verdicts(given, "random")
    assert "over 100 test problems" in head
    assert "another one" in head
    assert beyond.startswith("Beyond what the choice of problems explains: knexa +18.0 [+")
    assert not_beyond.startswith("Not beyond it: local +0.6 [-")


def test_one_seed_of_runs_without_counts_shows_nothing() -> None:
    """And the sentence says so."""
    (said,) = verdicts(rows(random=[0.2], knexa=[0.9]), "random")
    assert said.startswith("One seed: whether another one would give the same difference")


def test_texts_are_compared_by_their_own_score() -> None:
    """Exact matches, where nothing could be run."""
    given = [{**row, "pass@1": None, "exact_match": row["pass@1"]} for row in rows(random=[0.2, 0.21], knexa=[0.3, 0.31])]
    assert verdicts(given, "random")[0].startswith("Exact against random")


def test_without_the_baseline_nothing_is_claimed() -> None:
    """Nor with nothing beside it."""
    assert verdicts(rows(knexa=[0.2, 0.3], local=[0.1, 0.1]), "random") == []
    assert verdicts(rows(random=[0.2, 0.3]), "random") == []


def test_what_a_server_takes_on_top_is_said() -> None:
    """Mean of a run, in words."""
    given = [dict(row) for row in rows(random=[0.2], fedid=[0.2])]
    given[1].update(server_steps=320, server_texts=1280)
    assert verdicts(given, "random")[-1] == (
        "Beyond the common budget, fedid takes in a run: 320 steps of a server model, 1,280 texts of a server model."
    )


def test_one_seed_without_a_share_of_right_answers_among_its_scores_names_what_is_compared() -> None:
    """Problems are compared by their share of right answers, whatever the table shows."""
    given = [{**row, "pass@1": None, "pass@10": row["pass@1"], "by_problem": [0.1, 0.3] * 20} for row in rows(random=[0.4], knexa=[0.4])]
    assert verdicts(given, "random")[0].startswith("Share of right answers against random")
