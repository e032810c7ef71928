# ruff: noqa: E501 - the programs under test are easier to compare on one line each
"""What a program can see: of the machine, of who started it, of the judge, of the programs before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knexa.evaluation.sandbox import Check, Sandbox, Verdict

#: Each defines ``probe(home)`` and returns what it could see: something in a plain interpreter, nothing inside.
SIGHTS = {
    "the environment": "import os\ndef probe(home): return [name for name in os.environ if name not in ('PYTHONHASHSEED', 'LC_ALL', 'LD_LIBRARY_PATH', 'PWD')]",
    "the environment by the C library": "import ctypes\ndef probe(home):\n    get = ctypes.CDLL(None).getenv\n    get.restype = ctypes.c_char_p\n    return get(b'KNEXA_PROBE_SECRET')",
    "the home": "import os, sys\ndef probe(home):\n    try: return [n for n in os.listdir(home) if not sys.base_prefix.startswith(os.path.join(home, n))]\n    except OSError: return []",
    "a package of the machine's": "def probe(home):\n    try: import numpy\n    except ImportError: return False\n    return True",
    "this project": "def probe(home):\n    try: import knexa\n    except ImportError: return False\n    return True",
    "a path to packages": "import sys\ndef probe(home): return [path for path in sys.path if 'site-packages' in path]",
    "the judge's modules": "import sys\ndef probe(home): return [name for name in sys.modules if name.partition('.')[0] in ('inside', 'knexa', 'judge', 'test')]",
    "the test in the frames below": "import sys\ndef probe(home):\n    frame, seen = sys._getframe(), []\n    while frame:\n        seen += [name for name in (*frame.f_globals, *frame.f_locals) if name == 'check']\n        frame = frame.f_back\n    return seen",
    "the test among all objects": "import gc\ndef probe(home): return [o.__name__ for o in gc.get_objects() if type(o).__name__ == 'function' and o.__name__ == 'check']",
    "descriptors that are not its own": "import os\ndef probe(home):\n    seen = []\n    for number in range(5, 4096):\n        try: os.fstat(number)\n        except OSError: continue\n        seen.append(number)\n    return seen",
    "standard input": "import sys\ndef probe(home): return sys.stdin.read()",
    "its own command line in /proc": "def probe(home):\n    try: return open('/proc/self/cmdline', 'rb').read()\n    except OSError: return b''",
    "processes": "import os\ndef probe(home):\n    seen = []\n    for pid in range(1, 50):\n        try: seen.append(open(f'/proc/{pid}/status').read())\n        except OSError: pass\n    return seen",
    "devices": "import os\ndef probe(home):\n    seen = []\n    for name in ('zero', 'random', 'tty', 'kmsg', 'mem', 'fuse', 'kvm', 'ptmx', 'net/tun', 'vda', 'sda'):\n        try: seen.append(os.open('/dev/' + name, os.O_RDONLY))\n        except OSError: pass\n    return seen",
    "configuration in /etc": "def probe(home):\n    seen = []\n    for name in ('passwd', 'shadow', 'group', 'hosts', 'hostname', 'resolv.conf', 'machine-id', 'ssl/openssl.cnf'):\n        try: seen.append(open('/etc/' + name).read())\n        except OSError: pass\n    return seen",
    "numbers of /proc and /sys": "def probe(home):\n    seen = []\n    for name in ('/proc/cpuinfo', '/proc/meminfo', '/proc/net/tcp', '/proc/mounts', '/proc/version', '/sys/class/net/lo/address'):\n        try: seen.append(open(name).read())\n        except OSError: pass\n    return seen",
}  # fmt: skip

_TEST = "def check(candidate):\n    seen = candidate({home!r})\n    assert not seen, seen\n"


@pytest.mark.parametrize("name", SIGHTS)
def test_what_is_seen_outside_is_not_seen_inside(either_sandbox: Sandbox, name: str) -> None:
    """The program runs to its end and comes back with nothing."""
    assert either_sandbox.explain([Check(SIGHTS[name], _TEST.format(home=str(Path.home())), "probe")]) == [(Verdict.PASSED, "")]


def test_every_sight_is_seen_outside(tmp_path: Path) -> None:
    """Where program and test share a plain interpreter, each of them comes back with something."""
    (tmp_path / "thing").touch()
    harness = "import os, sys\nfrom knexa.evaluation.sandbox.inside import judge\nos.dup2(0, 9)\ndef check(candidate): print(bool(candidate(sys.argv[1])))\n"
    environment = os.environ | {"KNEXA_PROBE_SECRET": "hunter2", "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = {}
    for name, program in SIGHTS.items():
        script = f"{harness}\nnamespace = {{}}\nexec({program!r}, namespace)\ncheck(namespace['probe'])"
        ended = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], input="seen", env=environment, capture_output=True, text=True, check=False
        )
        seen[name] = ended.stdout.strip() or ended.stderr
    assert {name: answer for name, answer in seen.items() if answer != "True"} == {}


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
def test_under_landlock_that_a_file_exists_can_be_seen_in_bubblewrap_not(either_sandbox: Sandbox, tmp_path: Path, backend: str) -> None:
    """Landlock has no right for ``stat``: names, sizes and times of files that a program can guess are not hidden. It is known."""
    if either_sandbox.backend != backend:
        pytest.skip("the other backend's turn")
    (tmp_path / "secret").write_text("12345")
    program = "import os\ndef probe(path): return os.stat(path).st_size if os.path.exists(path) else None"
    expected = {"bubblewrap": None, "landlock": 5}[backend]
    test = f"def check(candidate): assert candidate({str(tmp_path / 'secret')!r}) == {expected}"
    assert either_sandbox.run([Check(program, test, "probe")]) == [Verdict.PASSED]


#: All that a program could leave behind in an interpreter, as one value. Process ids differ, and are left out.
_STATE = """
import builtins, decimal, gc, locale, math, os, random, resource, signal, sys, warnings
def state():
    return [sorted(sys.modules), sorted(vars(builtins)), sorted(vars(math)), math.pi, sys.path, sorted(os.environ.items()), os.getcwd(),
            sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits(), gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(),
            [str(signal.getsignal(n)) for n in range(1, 65)], sorted(signal.pthread_sigmask(0, [])), len(warnings.filters), str(decimal.getcontext()),
            locale.setlocale(locale.LC_ALL), random.getstate()[1][:9], len(sys.meta_path), sys.gettrace() is None, sys.getprofile() is None,
            [n for n in range(64) if exists(n)], len(object.__subclasses__()), sys.displayhook is sys.__displayhook__]
def exists(number):
    try: os.fstat(number)
    except OSError: return False
    return True
"""
SPOILERS = {
    "modules and builtins": "import builtins, math, sys, types\nmath.pi = 3\nbuiltins.left = len\nsys.modules['left'] = types.ModuleType('left')\nsys.path.append('/left')\nsys.meta_path.append(None)",
    "settings of the interpreter": "import gc, sys\nsys.setrecursionlimit(77)\nsys.setswitchinterval(1)\nsys.set_int_max_str_digits(0)\ngc.set_threshold(1)\ngc.disable()",
    "contexts": "import decimal, random, warnings\nrandom.seed(9)\ndecimal.getcontext().prec = 3\nwarnings.simplefilter('error')",
    "signals": "import signal\nfor n in (1, 2, 10, 12, 14, 15): signal.signal(n, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [10])",
    "the environment": "import os\nos.environ['LEFT'] = 'left'\nos.putenv('LEFT', 'left')",
    "descriptors": "import ctypes, os\nfor _ in range(20): ctypes.CDLL(None).dup(0)\nos.close(1)\nos.close(2)",
    "hooks": "import atexit, sys\natexit.register(print)\nsys.settrace(lambda *a: None)\nsys.addaudithook(lambda *a: None)\nsys.displayhook = None",
    "memory of the interpreter": "import ctypes\nctypes.memset(id(7) + 24, 9, 1)",
    "a class of object's": "class Left: pass\nkept = [Left() for _ in range(1000)]",
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILERS)
def test_no_program_finds_what_another_left(either_sandbox: Sandbox, name: str) -> None:
    """Before, beside and after one that changes all it can, a program finds the same interpreter; the change itself did happen."""
    look = Check(
        f"{_STATE}\ndef probe(): return repr(state())",
        "def check(candidate): assert False, __import__('zlib').crc32(candidate().encode())",
        "probe",
    )
    changed = f"{_STATE}\nbefore = repr(state())\nseven = 7\n{SPOILERS[name]}\ndef probe(): return before != repr(state()) or 3 + 4 != 9 - 2 or {name in ('hooks', 'memory of the interpreter')}"
    spoil = Check(changed, "def check(candidate): assert candidate()", "probe")
    replies = either_sandbox.explain([look, spoil, look, spoil, look, look, spoil, look])
    looks = {replies[n] for n in (0, 2, 4, 5, 7)}
    assert len(looks) == 1
    assert next(iter(looks))[0] is Verdict.FAILED
    assert {replies[n] for n in (1, 3, 6)} == {(Verdict.PASSED, "")}
