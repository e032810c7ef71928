"""What a simulation's agents let out stands in their ledgers, all of it and nothing else."""

from __future__ import annotations

from collections import Counter

from knexa.events import read_events
from knexa.exchange.ledger import LEFT, verified
from knexa.simulation.federation import Federation
from knexa.simulation.ledgers import ledgers_in


def test_every_text_of_every_package_stands_in_its_teachers_ledger(config, tmp_path):
    """Counted for each match, with the student that the record names; also where the package was lost on its way."""
    settings = config(rounds=6, transport={"loss": 0.1, "deadline_s": 20.0})
    folder = Federation(settings, workplace="arithmetic_workplace:create").run(tmp_path / "run").folder
    packages = [event for event in read_events(folder) if event["kind"] == "package"]
    assert packages
    said = Counter({(one["teacher"], one["student"], one["match_id"]): one["texts"] for one in packages})
    entered: Counter[tuple[str, str, str]] = Counter()
    for path in ledgers_in(folder):
        for entry in verified(path):
            assert entry.what == LEFT
            entered[path.parent.name, entry.student, entry.match_id] += 1
    assert entered == said
