"""Replay: what another matchmaker's choices would have earned, estimated from a log."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from matching_rounds import NAMES, benefit, outcome, profiles
from typer.testing import CliRunner

from knexa.cli import app
from knexa.config import FederationConfig, load_config, to_toml
from knexa.errors import ConfigurationError, RunFolderError
from knexa.matching import Match, Profile, build_matchmaker
from knexa.matching.reward import raw_reward
from knexa.randomness import stream
from knexa.study.replay import replay


def configured(*sets: str, strategy: str = "random", rounds: int = 400, seed: int = 1) -> FederationConfig:
    return load_config(strategy=strategy, rounds=rounds, seed=seed, sets=sets)


def log(
    folder: Path,
    config: FederationConfig,
    earned: Callable[[Match], float] = benefit,
    agents: Mapping[str, Profile] = profiles(1),
    full: str = "",
) -> Path:
    """Rounds with profiles that never change; a match earns a tenth of ``earned``, and noise of a third of that.

    Agent ``full`` refuses to be a student.
    """
    matchmaker = build_matchmaker(config.matching, config.reward, config.rounds, config.seed)
    events: list[dict[str, object]] = []
    for round in range(1, config.rounds + 1):
        given = {name: replace(profile, round=round) for name, profile in agents.items()}
        events += [{"kind": "profile", **profile.to_dict()} for profile in given.values()]
        matches = matchmaker.match(given, round)
        candidates = [asdict(one) for one in matchmaker.candidates] if config.matching.log_candidates else []
        events.append({"kind": "match", "round": round, "matches": [asdict(match) for match in matches], "candidates": candidates})
        for match in matches:
            if match.student == full:
                matchmaker.drop(match.match_id)
                events.append({"kind": "fault", "round": round, "agent": full, "what": "refused", "refused": match.match_id})
                continue
            noise = stream(config.seed, "noise", match.match_id).normal() / 30
            reported = replace(outcome(match), probe_loss_after=2.0 - earned(match) / 10 + noise)
            matchmaker.learn(reported)
            events.append({"kind": "outcome", "round": round, "teacher": match.teacher, "student": match.student, **asdict(reported)})
    return write(folder, config, events)


def write(folder: Path, config: FederationConfig, events: Iterable[object]) -> Path:
    folder.mkdir()
    (folder / "config.toml").write_text(to_toml(config))
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def truth(config: FederationConfig, name: str) -> float:
    """What one exchange of a matchmaker that always chooses the same pairs earns without noise."""
    chosen = build_matchmaker(config.matching.model_copy(update={"matchmaker": name}), config.reward, 1, 0).match(profiles(1), 1)
    earned = [raw_reward(outcome(match), config.reward.gamma, config.reward.delta, config.reward.measure) for match in chosen]
    return sum(earned) / len(earned)


@pytest.fixture(scope="module")
def random_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log(tmp_path_factory.mktemp("logs") / "random", configured())


def test_estimates_find_what_another_matchmaker_would_have_earned(random_log: Path) -> None:
    """Both intervals hold the truth, and the log's own mean, which is another, lies outside the doubly robust one."""
    found = replay([random_log], "heuristic")
    true = truth(configured(), "heuristic")
    for estimate in (found.inverse_propensity, found.doubly_robust):
        assert estimate.low <= true <= estimate.high
    assert not found.doubly_robust.low <= found.logged.mean <= found.doubly_robust.high
    assert found.difference.mean == pytest.approx(found.doubly_robust.mean - found.logged.mean)


def test_an_exchange_that_came_to_nothing_earned_nothing(random_log: Path, tmp_path: Path) -> None:
    """No outcome is a reward of 0 and a failure that the replayed matchmaker remembers, not an exchange that never was."""
    events = [json.loads(line) for line in (random_log / "events.jsonl").read_text().splitlines()]
    silent = write(tmp_path / "silent", configured(), [event for event in events if event["kind"] != "outcome"])
    found = replay([silent], "heuristic")
    assert (found.logged.mean, found.inverse_propensity.mean, found.exchanges) == (0.0, 0.0, 1200)


def test_the_reward_model_narrows_the_interval(random_log: Path) -> None:
    """That is what it is for: without it every round in which the choices disagree counts as 0."""
    found = replay([random_log], "heuristic")
    assert found.doubly_robust.high - found.doubly_robust.low < found.inverse_propensity.high - found.inverse_propensity.low


def test_a_matchmaker_replayed_on_its_own_log_earned_what_it_earned(random_log: Path) -> None:
    """All weights are 1, so every exchange counts, and inverse propensity gives the log's own mean."""
    found = replay([random_log], "random")
    assert found.effective == pytest.approx(found.exchanges) == 3 * 400
    assert found.inverse_propensity.mean == pytest.approx(found.logged.mean, abs=1e-12)


def test_a_bandit_that_draws_leaves_a_log_that_others_can_be_judged_by(tmp_path: Path) -> None:
    """Thompson sampling logs how likely each pair was; replayed on its own log it wants every pair just as much."""
    folder = log(tmp_path / "thompson", configured("matching.bandit=thompson", strategy="knexa", rounds=8))
    found = replay([folder], "knexa")
    assert found.effective == pytest.approx(found.exchanges) == 24
    assert found.inverse_propensity.mean == pytest.approx(found.logged.mean, abs=1e-12)


def test_a_replayed_matchmaker_blames_nobody_for_what_a_student_refused(tmp_path: Path) -> None:
    """The log says which exchanges those were, so the replay remembers what the log's own matchmaker remembered."""
    folder = log(tmp_path / "thompson", configured("matching.bandit=thompson", strategy="knexa", rounds=8), full=NAMES[0])
    found = replay([folder], "knexa")
    assert found.effective == pytest.approx(found.exchanges) == 24


def test_a_replayed_bandit_learns_from_the_log(tmp_path: Path) -> None:
    """Where what pays is who teaches, it finds that out from a log of random pairs, and would have earned more than they did."""
    folder = log(tmp_path / "log", configured(), lambda match: float(NAMES.index(match.teacher)))
    found = replay([folder], "knexa", ["matching.context=concat", "matching.pairing=greedy"])
    assert found.difference.low > 0


def test_a_log_without_chance_is_refused(tmp_path: Path) -> None:
    """What was never tried cannot be estimated; the sentence says how to get a log that can be replayed."""
    folder = log(tmp_path / "heuristic", configured(strategy="heuristic", rounds=20))
    with pytest.raises(RunFolderError, match=r"could never have made .*strategy random"):
        replay([folder], "random")


def test_a_log_that_never_listed_what_is_wanted_is_refused(tmp_path: Path) -> None:
    """Only the better taught, so half of the pairs were never candidates; a matchmaker that wants them too is not judged by the rest."""
    ordered = {name: replace(profile, probe=(NAMES.index(name) / 10,) * 12) for name, profile in profiles(1).items()}
    sets = ("matching.only_better=true", "matching.curriculum=true", "matching.probe=true")
    folder = log(tmp_path / "better", configured(*sets, rounds=60), agents=ordered)
    assert replay([folder], "random").exchanges == 180
    with pytest.raises(RunFolderError, match=r"could never have made \d\d% of the choices of 'fedskd'"):
        replay([folder], "fedskd", ["matching.only_better=false"])


def test_too_little_overlap_is_refused(tmp_path: Path) -> None:
    """A dozen exchanges of a random log agree with another matchmaker once or twice: no estimate; two logs count together."""
    short = [log(tmp_path / str(seed), configured(rounds=20, seed=seed)) for seed in range(1, 4)]
    with pytest.raises(RunFolderError, match=r"of 60 logged exchanges only .* add logs"):
        replay(short[:1], "heuristic")
    assert replay(short, "heuristic").exchanges == 180


def test_bad_input_is_one_sentence(random_log: Path, tmp_path: Path) -> None:
    """A matchmaker that nobody knows, a setting of something else, a log without candidates, a log of nobody, a damaged one."""
    with pytest.raises(ConfigurationError, match=r"matching\.matchmaker"):
        replay([random_log], "kenxa")
    with pytest.raises(ConfigurationError, match=r"matching\.\* only"):
        replay([random_log], "knexa", ["local.steps=3"])
    with pytest.raises(RunFolderError, match="paired nobody"):
        replay([random_log], "local")
    with pytest.raises(RunFolderError, match="log_candidates"):
        replay([log(tmp_path / "bare", configured("matching.log_candidates=false", rounds=2))], "knexa")
    with pytest.raises(RunFolderError, match="nobody was paired"):
        replay([write(tmp_path / "empty", configured(), [])], "knexa")
    with pytest.raises(RunFolderError, match="cannot be replayed"):
        replay([write(tmp_path / "damaged", configured(), [{"kind": "outcome"}])], "knexa")


def test_the_command_prints_estimates_and_json(random_log: Path) -> None:
    """A table for people, the same numbers for scripts."""
    shown = CliRunner().invoke(app, ["replay", str(random_log), "--matchmaker", "heuristic"])
    assert shown.exit_code == 0
    assert "doubly robust" in shown.stdout
    given = json.loads(CliRunner().invoke(app, ["replay", str(random_log), "--matchmaker", "heuristic", "--json"]).stdout)
    assert given == json.loads(json.dumps(asdict(replay([random_log], "heuristic"))))


def test_the_truth_of_these_tests_is_no_constant() -> None:
    """Pairs differ in what they earn, else nothing above could fail."""
    assert len({round(benefit(Match("m", 1, teacher, student)), 6) for teacher in NAMES for student in NAMES}) > 20
