"""Resolving a configuration: layers win in order, strategies share one budget, every mistake is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.baselines.budget import steps_each
from knexa.config import CUSTOM, FederationConfig, exchange_share, load_config, to_toml
from knexa.errors import ConfigurationError
from knexa.presets import preset_names
from knexa.strategies import STRATEGIES, UNDISTILLED


def texts_trained_on(config: FederationConfig) -> float:
    """Expected texts, repetitions counted, that one agent takes gradients on over the whole run."""
    steps = 0.0 if config.matching.matchmaker == "local" else exchange_share(config) * config.distillation.steps
    steps = steps_each(config) if config.central.method in ("central-kd", "fedid") else steps
    local = (config.local.first_steps + (config.rounds - 1) * config.local.steps) * config.local.batch_size
    distilled = config.rounds * steps * (config.distillation.own_batch_size + config.distillation.batch_size)
    return config.local.accumulate * (local + distilled)


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_resolved_file_resolves_to_itself(tmp_path: Path, preset: str, strategy: str) -> None:
    """``config.toml`` of a run is complete and idempotent: loading it again changes nothing, whatever the strategy."""
    config = load_config(preset=preset, strategy=strategy)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config))
    assert load_config(path) == config


@pytest.mark.parametrize("preset", preset_names())
def test_strategies_of_one_preset_learn_from_as_many_texts_on_equal_fleets(preset: str) -> None:
    """A comparison is fair by construction: same agents, data and rounds; as many texts, up to rounding in favour of who does not pair."""
    configs = [load_config(preset=preset, strategy=strategy) for strategy in STRATEGIES]
    assert len({(config.agents, config.rounds, config.seed, config.evaluation) for config in configs}) == 1
    assert {config.strategy for config in configs if config.data != configs[0].data} == {"all-data"}
    texts = {config.strategy: texts_trained_on(config) for config in configs}
    rounded = [texts.pop(name) for name in (*UNDISTILLED, "central-kd", "fedid")]
    assert len(set(texts.values())) == 1
    batch = configs[0].local.batch_size * configs[0].local.accumulate
    assert all(0 <= alone - texts["knexa"] < configs[0].rounds * batch for alone in rounded)


def test_later_layers_win(tmp_path: Path) -> None:
    """Preset, then file, then strategy, then --set, then flags."""
    file = tmp_path / "federation.toml"
    file.write_text("rounds = 3\n[local]\nsteps = 7\n[distillation]\nverify = true\nprompts = 9\n")
    config = load_config(file, strategy="random", rounds=5, sets=["rounds=4", "local.batch_size=2", "distillation.prompts=11"])
    assert (config.rounds, config.local.steps, config.local.batch_size, config.distillation.prompts) == (5, 7, 2, 11)
    assert not config.distillation.verify
    assert load_config(file, strategy="random", sets=["distillation.verify=true"]).distillation.verify


def test_a_file_names_its_own_preset_and_strategy(tmp_path: Path) -> None:
    """A file stands for itself; the arguments of a call win over it."""
    file = tmp_path / "federation.toml"
    file.write_text('preset = "crowd"\nstrategy = "random"\n')
    assert len(load_config(file).agents) == 24
    assert load_config(file).matching.matchmaker == "random"
    assert load_config(file, strategy="knexa").matching.matchmaker == "knexa"
    assert len(load_config(file, preset="quickstart").agents) == 6


def test_a_file_that_names_its_strategy_may_change_it(tmp_path: Path) -> None:
    """What stands beside the strategy in one file is never silently replaced by it; a strategy from the command line replaces both."""
    file = tmp_path / "federation.toml"
    file.write_text('strategy = "knexa"\n[matching]\nbandit = "thompson"\n')
    assert load_config(file).matching.bandit == "thompson"
    assert load_config(file, strategy="knexa").matching.bandit == load_config(file, sets=["strategy=knexa"]).matching.bandit == "linucb"
    changed = load_config(strategy="random", sets=["distillation.verify=true"])
    file.write_text(to_toml(changed))
    assert load_config(file) == changed


def test_a_run_is_called_after_a_strategy_only_if_it_is_that_strategy() -> None:
    """The label in a result never claims the shipped method for settings that differ from it."""
    assert load_config().strategy == "knexa"
    assert load_config(sets=["local.steps=9"]).strategy == "knexa"
    assert load_config(sets=["distillation.verify=false"]).strategy == CUSTOM
    assert load_config(preset="paper").strategy == "paper"


def test_a_strategy_without_server_or_pooled_data_takes_back_what_a_file_says_of_them(tmp_path: Path) -> None:
    """A strategy from the command line is that strategy, whatever the file was for."""
    file = tmp_path / "federation.toml"
    file.write_text('strategy = "fedid"\n[data]\npooled = true\n[central]\nserver_steps = 3\n')
    assert (load_config(file).central.method, load_config(file).data.pooled) == ("fedid", True)
    config = load_config(file, strategy="random")
    assert (config.central.method, config.data.pooled, config.central.server_steps) == (None, False, 3)


def test_one_agent_of_a_list_can_be_changed() -> None:
    """``agents.N.key`` changes one agent and leaves the others alone."""
    config = load_config(sets=["agents.1.lessons=3"])
    assert [agent.lessons for agent in config.agents] == [None, 3] + [None] * 4


MISTAKES = [
    (["local.stepz=1"], "--set local.stepz: unknown key; did you mean 'steps'? allowed: learning_rate, first_steps"),
    (["lokal.steps=1"], "--set lokal: unknown key; did you mean 'local'?"),
    (["steps=1"], "--set steps: unknown key"),
    (["local.steps=-1"], "--set local.steps: found -1; allowed: a whole number of at least 0"),
    (["local.steps=many"], "--set local.steps: found 'many'; allowed: a whole number"),
    (["local=1"], "--set local: found 1; allowed: a table with keys of learning_rate"),
    (["local.steps"], "--set: found 'local.steps'; allowed: KEY=VALUE"),
    (["agents=[]"], "--set agents: found []; allowed: at least 2 of them"),
    (["agents.9.name=x"], "--set agents: found {'9': {'name': 'x'}}; allowed: a list of [[agents]] tables"),
    (["agents.0.name=A B"], "--set agents.0.name: found 'A B'; allowed: a text of the form"),
    (["agents.1.name=agent-1"], "--set agents.1.name: found 'agent-1'; allowed: a name that no other agent has"),
    (["agents.0.backbone=embedded:gtp2"], "--set agents.0.backbone: found 'embedded:gtp2'; allowed: embedded:qwen2, embedded:gpt2"),
    (["agents.0.backbone=./nowhere"], "--set agents.0.backbone: found './nowhere'; allowed: an existing folder"),
    (
        ["data.problems=nowhere.jsonl"],
        "--set data.problems: found 'nowhere.jsonl'; allowed: 'embedded', 'notes', 'human-eval+mbpp' or the path",
    ),
    (["evaluation.k=[1,20]"], "--set evaluation.k: found (1, 20); allowed: whole numbers from 1 to evaluation.samples = 10"),
    (["matching.matchmaker=rndom"], "--set matching.matchmaker: found 'rndom'; allowed: knexa, random"),
    (["matching.context=cat"], "--set matching.context: found 'cat'; allowed: concat, gap"),
    (["central.method=fedavg"], "--set central.method: found 'fedavg'; allowed: with matching.matchmaker = 'local' only"),
    (
        ["central.method=fedid", "matching.matchmaker=local"],
        "--set central.method: found 'fedid'; allowed: with distillation.verify = false",
    ),
    (["central.backbone=embedded:none"], "--set central.backbone: found 'embedded:none'; allowed: embedded:bloom, embedded:gpt-neox"),
    (["distillation.prompts=4", "distillation.candidates=5"], "--set distillation.candidates: found 5; allowed: whole numbers from 1 to"),
    (
        ["distillation.agreement=true", "distillation.memory=false"],
        "--set distillation.agreement: found True; allowed: false, or distillation.memory = true",
    ),
    (
        ["matching.only_better=true", "matching.probe=false"],
        "--set matching.only_better: found True; allowed: false, or matching.curriculum = true and matching.probe = true",
    ),
    (
        ["strategy=fedid", "distillation.candidates=2"],
        "strategy fedid: key central.method: found 'fedid'; allowed: with distillation.candidates = 1 only: a server distils plainly",
    ),
    (["data.alpha=0"], "--set data.alpha: found 0; allowed: a number above 0 (Dirichlet"),
]


@pytest.mark.parametrize(("sets", "sentence"), MISTAKES)
def test_a_mistake_names_the_key_what_was_found_and_what_is_allowed(sets: list[str], sentence: str) -> None:
    """One sentence, with the key as the user wrote it."""
    with pytest.raises(ConfigurationError) as error:
        load_config(sets=sets)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["agents.².name=x"], "--set agents: found {'²': {'name': 'x'}}; allowed: a list of [[agents]] tables"),
        ([f"agents.{'1' * 5000}.name=x"], "--set agents: found {'111"),
        (["agents.00.name=x"], "--set agents: found {'00': {'name': 'x'}}; allowed: a list of [[agents]] tables"),
        ([f"data.problems={LONG}"], "--set data.problems: found 'xxx"),
        (['data.problems="a\\u0000b"'], "--set data.problems: found 'a\\x00b'; allowed: 'embedded'"),
        (["data.problems=human-eval+mbpp", f"data.mbpp={LONG}"], "--set data.mbpp: found 'xxx"),
        (["agents.0.backbone=~nouser/x"], "--set agents.0.backbone: found '~nouser/x'; allowed: an existing folder"),
        ([f"agents.0.backbone=/{LONG}"], "--set agents.0.backbone: found '/xxx"),
        ([f"agents.0.name=0x{'f' * 5000}"], "--set agents.0.name: found something too large to show; allowed: a text"),
        ([f"agents.0.backbone.{'a.' * 3000}a=1"], "--set agents.0.backbone"),
    ],
    ids=range(10),
)
def test_what_is_no_number_path_or_home_is_one_sentence_too(sets: list[str], sentence: str) -> None:
    """However long, and whatever characters it holds."""
    with pytest.raises(ConfigurationError) as error:
        load_config(sets=sets)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ["a\0b.toml", LONG])
def test_a_source_that_no_file_can_be_called_is_one_sentence(path: str) -> None:
    """A null byte, or a name of thousands of letters."""
    with pytest.raises(ConfigurationError, match=r"cannot be read \(.*\); pass a federation.toml"):
        load_config(path)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Some editors write one."""
    file = tmp_path / "mine.toml"
    file.write_text("rounds = 3\n", encoding="utf-8-sig")
    assert load_config(file).rounds == 3


def test_mistakes_in_files_name_file_key_and_line(tmp_path: Path) -> None:
    """A TOML error names file and line; a wrong value names file and key; so does a mistake in a flag."""
    file = tmp_path / "mine.toml"
    file.write_text("rounds = 3\nseed = what\n")
    with pytest.raises(ConfigurationError, match=r"mine\.toml: not valid TOML: .*line 2"):
        load_config(file)
    file.write_text("[local]\nsteps = -4\n")
    with pytest.raises(ConfigurationError, match=r"mine\.toml: key local\.steps: found -4; allowed: a whole number"):
        load_config(file)
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"--rounds: found 0; allowed: a whole number of at least 1"):
        load_config(rounds=0)
    with pytest.raises(ConfigurationError, match=r"--strategy: found 'knxa'; allowed: local, random.*did you mean 'knexa'"):
        load_config(strategy="knxa")
    with pytest.raises(ConfigurationError, match=r"--preset: found 'huge'; allowed: crowd, paper, quickstart"):
        load_config(preset="huge")


@given(st.text(max_size=40))
def test_any_assignment_either_resolves_or_is_a_configuration_error(text: str) -> None:
    """Nothing that can be typed after --set ends in a traceback."""
    try:
        assert isinstance(load_config(sets=[text]), FederationConfig)
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017


@given(
    key=st.sampled_from(
        ["rounds", "local.steps", "data", "agents", "agents.0", "agents.0.name", "agents.0.backbone", "evaluation.k", "matching.pairs"]
    ),
    value=st.one_of(
        st.integers(-5, 5).map(str), st.sampled_from(["none", "true", "[]", "{}", "[1]", "nan", "inf", "x:y", "''"]), st.text(max_size=9)
    ),
)
def test_any_value_either_resolves_or_is_a_configuration_error(key: str, value: str) -> None:
    """The same for known keys with any value."""
    try:
        assert isinstance(load_config(sets=[f"{key}={value}"]), FederationConfig)
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017
