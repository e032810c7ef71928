"""Files of keys and trust when the machine is at its end: the old one stays whole, and the failure has a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from identities import NOW, files, member

from knexa.errors import CredentialsError
from knexa.service.identity import Authority
from knexa.service.identity.files import make_private_folder, read, write, write_new

#: Runs ``sys.argv[2]`` on the authority in ``sys.argv[1]``, where no file may grow beyond 64 bytes: a disk that is full.
ON_A_FULL_DISK = f"""
import resource, signal, sys
from datetime import datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import ec
from knexa.errors import CredentialsError
from knexa.service.identity import Authority
from knexa.service.identity.keys import signing_request
authority = Authority.open(Path(sys.argv[1]))
now = datetime.fromisoformat("{NOW.isoformat()}")
request = signing_request(ec.generate_private_key(ec.SECP256R1()), None)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    authority.issue(request, "clinic-2", now) if sys.argv[2] == "issue" else authority.revoke("clinic-1", now)
except CredentialsError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["issue", "revoke"])
def test_on_a_full_disk_nothing_is_issued_or_revoked_and_nothing_is_lost(what: str, hospital: Authority, tmp_path: Path) -> None:
    """One sentence; the authority is as it was, and goes on when there is space again."""
    member(hospital, tmp_path / "clinic-1", "clinic-1")
    before = {path: content for path, (content, _) in files(hospital.folder).items()}
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(hospital.folder), what]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "issued.jsonl: cannot be written (File too large); nothing was issued or revoked" in ended.stdout
    assert [entry.name for entry in Authority.open(hospital.folder).living(NOW)] == ["clinic-1"]
    member(hospital, tmp_path / "clinic-3", "clinic-3")
    after = files(hospital.folder)
    for path, content in before.items():
        assert after[path][0].startswith(content)
    assert [entry.name for entry in hospital.living(NOW)] == ["clinic-1", "clinic-3"]


def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A folder that is not there, a folder that is a file, a file that exists, a file that is none."""
    (tmp_path / "file").write_bytes(b"old")
    before = files(tmp_path)
    for attempt, sentence in (
        (lambda: write(tmp_path / "nowhere" / "x", b"new"), r"nowhere/x: cannot be written \(No such file"),
        (lambda: write_new(tmp_path / "file", b"new"), "file: exists already and is not overwritten"),
        (lambda: make_private_folder(tmp_path / "file" / "x"), r"file/x: cannot be made \(Not a directory"),
        (lambda: read(tmp_path), r"cannot be read \(Is a directory"),
    ):
        with pytest.raises(CredentialsError, match=sentence):
            attempt()
    assert files(tmp_path) == before
    write(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
