"""Test equipment: a PostgreSQL server of the test's own, in a folder of its own, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Where ``initdb`` and ``pg_ctl`` are; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    inside = shutil.which("initdb")
    return found[-1] if found else Path(inside).parent if inside else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Its URL. PostgreSQL refuses to run as root, so root lends it to the user ``postgres``, whose the folder becomes."""
    bin_folder = programs()
    assert bin_folder is not None
    folder.mkdir(parents=True)
    as_user: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def run(program: str, *words: str) -> None:
        subprocess.run([*as_user, bin_folder / program, "-D", folder / "data", *words], check=True, capture_output=True, cwd=folder)

    run("initdb", "--auth=trust", "--username=knexa", "--no-sync")
    run("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "--options", f"-k {folder} -c listen_addresses=''")
    try:
        yield f"postgresql+psycopg://knexa@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
