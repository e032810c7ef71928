"""What is written for operators can be typed: every command in deploy/ and in the guides exists, with the options that it is given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from knexa.cli import app
from knexa.config import load_config, organisations

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXAMPLES = sorted((DEPLOY / "systemd").glob("*.conf"))
COMPOSE = DEPLOY / "compose.yaml"
PAGES = [ROOT / "docs" / "operators-guide.md", ROOT / "docs" / "agents-guide.md", DEPLOY / "three-organisations" / "README.md"]

#: What ends a command in a shell's line.
_ENDS = frozenset({"&", "&&", "|", "||", ";", ">", ">>", "<", "2>"})


def command_named(words: list[str]) -> tuple[str, Any, list[str]]:
    """The name of the command, the command, and what it was given. Fails if there is no such command."""
    command: Any = typer.main.get_command(app)
    depth = 0
    while hasattr(command, "commands"):
        assert depth < len(words), f"knexa {' '.join(words)}: names a group, not a command"
        assert words[depth] in command.commands, f"knexa {' '.join(words)}: there is no command {words[depth]!r}"
        command, depth = command.commands[words[depth]], depth + 1
    return " ".join(words[:depth]), command, words[depth:]


def require_parses(words: list[str]) -> None:
    """Parsed as the command line would parse it, and nothing run: unknown options and missing ones fail."""
    name, command, given = command_named(words)
    command.make_context(name, given)


def require_named(words: list[str]) -> None:
    """For a command that is only mentioned: it and its options exist; what it needs besides may be left out."""
    name, command, given = command_named(words)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = {word.partition("=")[0] for word in given if word.startswith("--")} - known
    assert not unknown, f"knexa {name} has no {', '.join(sorted(unknown))}"


def called(line: str) -> Iterator[list[str]]:
    """What `knexa` is given in a line of a shell, and what a container's entry point is."""
    words = shlex.split(line, comments=True)
    for place, word in enumerate(words):
        if word == "knexa" and (place == 0 or words[place - 1] in _ENDS):
            yield _until_end(words[place + 1 :])
        elif words[place : place + 2] == ["compose", "run"]:
            # The name of a service follows `run` and its options, of which --publish takes a value.
            rest = iter(words[place + 2 :])
            for option in rest:
                if option == "--publish":
                    next(rest)
                elif not option.startswith("--"):
                    break
            yield _until_end(list(rest))


def _until_end(words: list[str]) -> list[str]:
    end = next((place for place, word in enumerate(words) if word in _ENDS), len(words))
    return words[:end]


def fenced(page: Path) -> list[str]:
    """Lines of the page's code blocks, continued ones joined, without prompts."""
    text = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
    return [re.sub(r"^\S*\$ +", "", line) for line in re.sub(r"\\\n\s*", "", text).splitlines()]


def comments(path: Path) -> list[str]:
    return [line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#")]


def unit_lines(path: Path) -> list[tuple[str, str]]:
    """Keys and values of a unit or environment file, in their order, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", path.read_text())
    return [(key, value) for key, _, value in (line.partition("=") for line in text.splitlines() if not line.startswith(("#", "[")))]


def started(unit: Path, environment: dict[str, str]) -> list[str]:
    """The unit's command as systemd would expand it: ``${NAME}`` is one word, ``$NAME`` as many as it holds."""
    line = dict(unit_lines(unit))["ExecStart"].replace("%i", "clinic-1")
    words = [[word] if not re.fullmatch(r"\$[A-Z_]+", word) else environment[word[1:]].split() for word in line.split()]
    return [re.sub(r"\$\{([A-Z_]+)\}", lambda name: environment[name[1]], word) for many in words for word in many]


def environment_of(unit: Path) -> dict[str, str]:
    """From the unit itself, then from the example beside it."""
    own = [shlex.split(value)[0] for key, value in unit_lines(unit) if key == "Environment"]
    examples = [f"{key}={value}" for example in EXAMPLES for key, value in unit_lines(example) if unit.name == "knexa-agent@.service"]
    return {key: value for key, _, value in (one.partition("=") for one in [*own, *examples])}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_guide_can_be_typed(page: Path) -> None:
    """Each line with `knexa` in a code block is parsed by the command line, options and arguments, with nothing missing."""
    found = [words for line in fenced(page) for words in called(line)]
    assert len(found) > 3
    for words in found:
        require_parses(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_that_a_guide_mentions_exists(page: Path) -> None:
    """`knexa …` within a sentence names a command, and options that it has."""
    for mention in re.findall(r"`knexa ([^`]+)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)):
        require_named(shlex.split(mention))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    """ExecStart, with the environment that the unit or its example gives, is parsed by the command line."""
    program, *words = started(unit, environment_of(unit))
    assert program == "/opt/knexa/bin/knexa"
    require_parses(words)


@pytest.mark.parametrize("name", ["knexa-cpm.service", "knexa-agent@.service"])
def test_a_wrong_configuration_is_not_tried_again(name: str) -> None:
    """Code 2 is what a person has to mend; everything else but 0 is started again, for as long as it takes."""
    settings = dict(unit_lines(DEPLOY / "systemd" / name))
    assert "2" in settings["RestartPreventExitStatus"].split()
    assert (settings["Restart"], settings["StartLimitIntervalSec"]) == ("on-failure", "0")


def test_an_authority_is_started_again_whatever_ended_it() -> None:
    """A full disk is code 2 there, too."""
    settings = dict(unit_lines(DEPLOY / "systemd" / "knexa-authority.service"))
    assert "RestartPreventExitStatus" not in settings
    assert (settings["Restart"], settings["StartLimitIntervalSec"]) == ("on-failure", "0")


def test_the_agents_unit_leaves_the_sandbox_what_it_needs() -> None:
    """A sandbox is a user namespace with mounts that writes below /proc/sys/user: what forbids one of these is not in the unit."""
    settings = dict(unit_lines(DEPLOY / "systemd" / "knexa-agent@.service"))
    assert not {"RestrictNamespaces", "ProtectKernelTunables", "ProcSubset"} & settings.keys()
    assert settings["SystemCallFilter"].startswith("~")


def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text())


def test_the_compose_file_has_a_service_for_every_role() -> None:
    """Each can be started by a profile, and each starts a command that exists with the defaults of its variables."""
    services = compose()["services"]
    assert set(services) == {"authority", "coordinator", "agent", "renew", "relay"}
    for service in services.values():
        assert service["profiles"]
        require_parses([re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", word) for word in service["command"]])


def test_every_volume_of_the_compose_file_is_declared_and_used() -> None:
    """A name that is not a path is a volume of the file, and none is left over."""
    content = compose()
    used = {
        mount.partition(":")[0] for service in content["services"].values() for mount in service["volumes"] if not isinstance(mount, dict)
    }
    assert used == set(content["volumes"])


def test_containers_can_neither_write_their_root_nor_gain_rights() -> None:
    """Every service has a read-only root file system, no capability, and no way to new privileges."""
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_the_coordinators_health_is_asked_where_it_answers() -> None:
    """The port of the health check is that of --metrics, and is published to the host alone."""
    service = compose()["services"]["coordinator"]
    port = next(word for word in service["command"] if word.startswith("--metrics=")).rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/healthz" in service["healthcheck"]["test"][-1]
    assert [one for one in service["ports"] if f":{port}" in one] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("path", [COMPOSE, DEPLOY / "Containerfile", *UNITS], ids=lambda path: path.name)
def test_what_a_comment_says_to_type_exists(path: Path) -> None:
    """Commands in the comments of a file of deploy/, those inside a container too."""
    for line in comments(path):
        if "docker compose run" in line:
            for words in called(line):
                require_parses(words)
        for mention in re.findall(r"`knexa ([^`]+)`", line):
            require_named(shlex.split(mention))


def test_the_image_runs_as_somebody_and_names_no_index() -> None:
    """A fixed user that is not root, knexa as its entry point, and no address of a registry but the base image's name."""
    text = (DEPLOY / "Containerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["/opt/knexa/bin/knexa"\]$', text, re.MULTILINE)
    assert "://" not in text


def test_the_example_federation_has_three_organisations() -> None:
    """It loads, small as it is, with one agent of each hospital."""
    config = load_config(DEPLOY / "three-organisations" / "federation.toml")
    assert organisations(config) == {"clinic-a": "hospital-a", "clinic-b": "hospital-b", "clinic-c": "hospital-c"}
    assert config.rounds == 2
