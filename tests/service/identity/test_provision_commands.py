"""``knexa provision`` as its users type it: real processes, and the files that they leave."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command_line import knexa
from identities import files

from knexa.errors import PeerError
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.trust import utc_now

PROVISION = [sys.executable, "-m", "knexa", "provision"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments: str) -> int:
    """Exit code of ``knexa provision``, in this process."""
    return knexa("provision", *arguments)


def facts(*arguments: str) -> dict[str, Any]:
    """What a command that succeeds tells a script."""
    with redirect_stdout(StringIO()) as output:
        assert called(*arguments, "--json") == 0
    found: dict[str, Any] = json.loads(output.getvalue())
    return found


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    # Tests that run in the background of a shell would pass its deafness to Ctrl-C on.
    hear = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*PROVISION, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_three_organisations_by_files_alone(here: Path) -> None:
    """init, trust, request, approve on the same machine and by carried files, accept: then every agent knows every other."""
    organisations = ["hospital-a", "hospital-b", "operator"]
    for name in organisations:
        made = facts("init", name, "--ca", f"{name}-ca", "--cpm", "cpm.example:7430")
        for other in organisations[: organisations.index(name)]:
            assert called("trust", f"{other}-ca/root.pem", "--ca", f"{name}-ca") == 0
            assert called("trust", f"{name}-ca/root.pem", "--ca", f"{other}-ca", "--fingerprint", made["fingerprint"]) == 0
    assert called("request", "operator/cpm", "--dir", "cpm") == called("approve", "cpm", "--ca", "operator-ca", "--yes") == 0
    for name in ("hospital-a", "hospital-b"):
        asked = facts("request", f"{name}/clinic-1", "--dir", f"{name}-agent")
        given = facts("approve", asked["request"], "--ca", f"{name}-ca", "--yes", "--out", f"{name}.grant.json")
        assert given["key"] == asked["key"]
        accepted = facts("accept", given["grant"], "--dir", f"{name}-agent")
        assert accepted["trusted"] == organisations
        assert accepted["cpm"] == "cpm.example:7430"
    everybody = [Credentials(here / name) for name in ("cpm", "hospital-a-agent", "hospital-b-agent")]
    for one in everybody:
        for other in everybody:
            assert one.trust.verify(other.current()[1], utc_now(), "server") == other.identity
    assert [one["organisation"] for one in facts("show", "hospital-a-ca")["trusted"]] == organisations


def test_a_newcomer_joins_by_the_code_and_is_renewed_until_it_is_revoked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """invite and join as two processes; then serve and renew; then revoke, and the next renewal is refused."""
    assert called("init", "hospital-a", "--issuer", "localhost:7432") == 0
    with running("invite", "clinic-1", "--listen", "127.0.0.1:0", "--json") as host:
        invitation = json.loads(line(host))
        join = [*PROVISION, "join", invitation["address"], invitation["code"], "--dir", "clinic-1", "--json"]
        joined = json.loads(subprocess.run(join, capture_output=True, text=True, timeout=60, check=True).stdout)
        assert joined["identity"] == invitation["identity"] == "knexa://hospital-a/clinic-1"
        assert json.loads(line(host)) == {"joined": "knexa://hospital-a/clinic-1"}
        assert host.wait(30) == 0
        assert called("join", invitation["address"], invitation["code"], "--dir", "late") == 4
        assert "nobody answers there" in capsys.readouterr().err
    assert Credentials(here / "clinic-1").identity == Identity("hospital-a", "clinic-1")

    with running("serve", "--listen", "127.0.0.1:0") as host:
        address = line(host).split(" at ")[1].split(";")[0]
        assert facts("renew", "clinic-1", "--issuer", address)["renewals"][0]["outcome"] == "not due"
        assert called("revoke", "clinic-1") == 0
        assert called("renew", "clinic-1", "--issuer", address) == 4
        assert "was revoked" in capsys.readouterr().err
        host.send_signal(signal.SIGTERM)
        assert host.wait(30) == 0


def test_a_guessed_code_ends_the_invitation_after_five_tries(here: Path) -> None:
    """The process that invited ends with the exit code of a peer's fault, and says what happened."""
    assert called("init", "hospital-a") == 0
    with running("invite", "clinic-1", "--listen", "127.0.0.1:0", "--json") as host:
        invitation = json.loads(line(host))
        guesses = """
import sys
from dataclasses import replace
from pathlib import Path
from knexa.errors import PeerError
from knexa.service.identity.grant import Address
from knexa.service.identity.invitation import Code
from knexa.service.identity.joining import join
from knexa.service.identity.trust import utc_now
code = Code.parse(sys.argv[2])
for number in range(5):
    try:
        join(Address.parse(sys.argv[1]), replace(code, secret=f"{number:09d}"), Path("guesser"), utc_now())
    except PeerError as error:
        print(error)
"""
        ended = subprocess.run([sys.executable, "-c", guesses, invitation["address"], invitation["code"]], capture_output=True, text=True)
        assert [text.rsplit(" ", 1)[1] for text in ended.stdout.splitlines()] == ["4", "3", "2", "1", "0"]
        _, stderr = host.communicate(timeout=30)
        assert host.returncode == 4
        assert "the invitation of clinic-1 was tried 5 times without success" in stderr


def test_an_invitation_that_nobody_takes_ends_by_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After its minutes, or by Ctrl-C; both say so, and no file remembers the code."""
    assert called("init", "hospital-a") == 0
    assert called("invite", "clinic-1", "--listen", "127.0.0.1:0", "--minutes", "0.01") == 4
    assert "the invitation of clinic-1 ended at" in capsys.readouterr().err
    with running("invite", "clinic-1", "--listen", "127.0.0.1:0", "--json") as host:
        code = json.loads(line(host))["code"].replace("-", "")
        host.send_signal(signal.SIGINT)
        _, stderr = host.communicate(timeout=30)
        assert (host.returncode, stderr) == (130, "knexa: stopped; the code is void\n")
    assert all(code[25:34].encode() not in content for content, _ in files(here).values())


MISTAKES = [
    (["init", "Hospital A"], 2, "organisation: found 'Hospital A'; allowed: 1 to 31 of a-z"),
    (["init", "hospital-a", "--issuer", "here"], 2, "--issuer: found 'here'; allowed: HOST:PORT"),
    (["request", "clinic-1", "--dir", "agent"], 2, "identity: found 'clinic-1'; allowed: ORGANISATION/NAME"),
    (["approve", "request.csr"], 2, "ca: is no authority; make one with `knexa provision init"),
    (["invite", "clinic-1"], 2, "ca: is no authority"),
    (["join", "localhost", "CODE", "--dir", "agent"], 2, "HOST:PORT: found 'localhost'"),
    (["join", "localhost:1", "CODE", "--dir", "agent"], 2, "code: mistyped or cut short (4 characters of 36)"),
    (["accept", "nothing.json", "--dir", "agent"], 2, "agent: cannot be read"),
    (["renew"], 2, "ca: is neither an authority nor an agent's folder"),
    (["show", "nowhere"], 2, "nowhere: is neither an authority nor an agent's folder"),
    (["trust"], 2, "trust: found FILE and --dismiss together, or neither"),
    (["trust", "--dismiss", "hospital-b", "--fingerprint", "00"], 2, "--fingerprint: found together with --dismiss"),
    (["approve", "request.csr", "--hours", "nan"], 2, "--hours: found nan; allowed: a finite number"),
    (["approve", "request.csr", "--hours", "1e20"], 2, "--hours: found 1e+20; allowed: at most 24"),
    (["approve", "request.csr", "--out", "."], 2, "--out: found .; allowed: a file in a folder that is there"),
    (["approve", "request.csr", "--out", "nowhere/g.json"], 2, "--out: found nowhere/g.json; allowed: a file in a folder that is there"),
    (["approve", ".", "--out", "grant.json"], 2, "--out: found together with ., a folder, which gets the grant itself"),
    (["invite", "clinic-1", "--hours", "-inf"], 2, "--hours: found -inf; allowed: a finite number"),
    (["renew", "--every", "inf"], 2, "--every: found inf; allowed: a finite number"),
    (["renew", "--every", "1e20"], 2, "--every: found 1e+20; allowed: 1 to 86400 seconds"),
    (["serve"], 2, "ca: is no authority"),
    (["revoke", "clinic-1"], 2, "ca: is no authority"),
]


@pytest.mark.parametrize(("arguments", "code", "sentence"), MISTAKES, ids=[" ".join(arguments) for arguments, _, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str], code: int, sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called as the console script calls it; no traceback, no file."""
    assert called(*arguments) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"knexa: {sentence}")
    assert output.err.count("\n") == 1
    assert list(here.iterdir()) == []


def test_commands_refuse_what_would_do_harm(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second init, a foreign organisation's request, a root with another fingerprint, the own root dismissed: nothing changes."""
    assert called("init", "hospital-a") == called("init", "hospital-b", "--ca", "b") == 0
    assert called("request", "hospital-b/clinic-1", "--dir", "agent") == 0
    before = files(here)
    for arguments, code, sentence in (
        (["init", "hospital-a"], 2, "root.key: exists already and is not overwritten"),
        (["approve", "agent", "--yes"], 2, "can vouch for members of hospital-a only"),
        (
            ["approve", "agent", "--ca", "b"],
            2,
            "--yes: not given, and there is no terminal to ask at; knexa://hospital-b/clinic-1 asks with",
        ),
        (["approve", "agent", "--ca", "b", "--yes", "--hours", "25"], 2, "lifetime: found 25 hours; allowed: 0.17 to 24"),
        (["invite", "issuer"], 2, "name: found 'issuer'; allowed: any other"),
        (["invite", "clinic-1", "--listen", "203.0.113.1:7431"], 2, "203.0.113.1:7431: cannot be listened at"),
        (["trust", "b/root.pem", "--fingerprint", "00" * 32], 4, "not the one given; it was not admitted"),
        (["trust", "b/root.pem", "--fingerprint", ""], 4, "not the one given; it was not admitted"),
        (
            ["trust", "b/trust/hospital-b.crl", "--fingerprint", "00" * 32],
            2,
            "--fingerprint: found together with b/trust/hospital-b.crl, a",
        ),
        (["trust", "--dismiss", ""], 4, "organisation '' is not trusted here"),
        (["approve", "agent", "--ca", "b", "--yes", "--out", "grant.json"], 2, "--out: found together with agent, a folder"),
        (["renew", "b", "--issuer", "localhost:7432"], 2, "--issuer: found together with b, the folder of an authority"),
        (["renew", "b", "--issuer", ""], 2, "--issuer: found ''; allowed: HOST:PORT"),
        (["trust", "--dismiss", "hospital-a"], 2, "--dismiss: found 'hospital-a'; allowed: another organisation than your own"),
        (["trust", "--dismiss", "hospital-c"], 4, "organisation 'hospital-c' is not trusted here"),
        (["revoke", "clinic-1"], 2, "'clinic-1': no certificate has this name or serial"),
    ):
        capsys.readouterr()
        assert called(*arguments) == code, arguments
        assert sentence in capsys.readouterr().err
    issuer = {path for path in files(here) if "issuer" in path.parts or path.name == "issued.jsonl"}
    assert {path: fact for path, fact in files(here).items() if path not in issuer} == {p: f for p, f in before.items() if p not in issuer}


def test_what_is_revoked_reaches_the_other_organisation_as_a_file(here: Path) -> None:
    """The list that `revoke` names, carried over and taken with `trust`; the agents of that machine know it at once."""
    for name in ("hospital-a", "hospital-b"):
        assert called("init", name, "--ca", f"{name}-ca") == 0
        assert called("request", f"{name}/clinic-1", "--dir", f"{name}-agent") == 0
        assert called("approve", f"{name}-agent", "--ca", f"{name}-ca", "--yes") == 0
    assert called("trust", "hospital-b-ca/root.pem", "--ca", "hospital-a-ca") == 0
    mine, theirs = (Credentials(here / f"{name}-agent") for name in ("hospital-a", "hospital-b"))
    assert mine.trust.verify(theirs.current()[1], utc_now()) == theirs.identity
    assert called("revoke", "clinic-1", "--ca", "hospital-b-ca") == 0
    assert called("trust", "hospital-b-ca/trust/hospital-b.crl", "--ca", "hospital-a-ca") == 0
    with pytest.raises(PeerError, match="was revoked"):
        mine.trust.verify(theirs.current()[1], utc_now())


def test_show_says_what_to_do_next(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For an authority without members, a key without a certificate, and an agent."""
    assert called("init", "hospital-a") == 0
    assert called("request", "hospital-a/clinic-1", "--dir", "agent") == 0
    for folder, words in (("ca", "bring one in: knexa provision invite NAME"), ("agent", "knexa provision accept GRANT --dir agent")):
        capsys.readouterr()
        assert called("show", folder) == 0
        assert words in capsys.readouterr().out
    assert called("approve", "agent", "--yes") == 0
    capsys.readouterr()
    assert called("show", "agent", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["identity"], found["valid"]) == ("knexa://hospital-a/clinic-1", True)
    assert [one["organisation"] for one in found["trusted"]] == ["hospital-a"]


def test_help_is_quick_and_does_not_load_what_it_does_not_need() -> None:
    """Neither torch nor cryptography for a page of help."""
    code = (
        "import sys; from knexa.cli import main; sys.argv = ['knexa', 'provision', '--help']\n"
        "try: main()\nfinally: assert not {'torch', 'cryptography'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "200"})
    assert ended.returncode == 0, ended.stderr
    for verb in ("init", "request", "approve", "accept", "invite", "join", "renew", "serve", "revoke", "trust", "show"):
        assert f" {verb} " in ended.stdout
