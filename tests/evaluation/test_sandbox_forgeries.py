# ruff: noqa: E501 - the programs under test are easier to compare on one line each
"""Programs that want to pass without solving anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from knexa.evaluation.sandbox import Check, Sandbox, Verdict

TEST = "def check(candidate):\n    assert candidate(2) == 'EXPECTED-' + str(98765)\n    assert candidate(3) != 0\n"


#: Programs that pass without solving anything wherever program and test share an interpreter.
FORGERIES = {
    "equals everything": "class Any:\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\ndef f(x): return Any()",
    "a str that equals everything": "class Any(str):\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\n    __hash__ = str.__hash__\ndef f(x): return Any()",
    "an int that equals everything": "class Any(int):\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\ndef f(x): return Any()",
    "a dict that equals everything": "class Any(dict):\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\ndef f(x): return Any()",
    "equality of an inherited operator": "import unittest.mock\ndef f(x): return unittest.mock.ANY if x == 2 else 1",
    "exit(0) in the call": "import os\ndef f(x): os._exit(0)",
    "exit(0) on import": "import os\nos._exit(0)",
    "sys.exit(0)": "import sys\ndef f(x): sys.exit(0)",
    "sys.exit(0) on import": "import sys\nsys.exit(0)",
    "SystemExit of its own": "class Quit(SystemExit): pass\ndef f(x): raise Quit(0)",
    "exit hook": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 1",
    "exception hook": "import os, sys\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 1",
    "patched AssertionError": "import builtins, os\nclass Quiet(Exception):\n    def __new__(cls, *a): os._exit(0)\nbuiltins.AssertionError = Quiet\n"
    "import sys\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 1",
    "replaced check in the caller's globals": "import sys\ndef f(x):\n    sys._getframe(2).f_globals['check'] = lambda c: None\n    sys.exit(0)",
    "patched test by frame walking": "import os, sys\ndef f(x):\n    frame = sys._getframe()\n    while frame.f_back: frame = frame.f_back\n"
    "    frame.f_globals['__name__'] = 'x'\n    os._exit(0)",
    "trace function": "import os, sys\nsys.settrace(lambda *a: os._exit(0))\ndef f(x): return 1",
    "profile function": "import os, sys\nsys.setprofile(lambda *a: os._exit(0))\ndef f(x): return 1",
    "audit hook": "import os, sys\nsys.addaudithook(lambda *a: os._exit(0))\ndef f(x):\n    open('x')\n    return 1",
    "finalizer": "import os\nclass Last:\n    def __del__(self): os._exit(0)\nlast = Last()\ndef f(x): return 1",
    "reads the expected value from the caller's code": "import sys\ndef f(x):\n    names = sys._getframe(1).f_code.co_consts\n"
    "    if x == 2: return ''.join(c for c in names if isinstance(c, str) and c.startswith('EXP')) + '98765'\n    return 1",
    "finds the expected value on the heap": "import gc\ndef f(x):\n    if x == 3: return 1\n"
    "    for o in gc.get_objects():\n        if isinstance(o, dict) and callable(o.get('check')):\n"
    "            return ''.join(c for c in o['check'].__code__.co_consts if isinstance(c, str)) + '98765'",
    "patched str": "import builtins\nclass Text(str):\n    __radd__ = __add__ = lambda s, o: 1\n    __eq__ = lambda s, o: True\n"
    "    __ne__ = __eq__\n    __hash__ = str.__hash__\nbuiltins.str = Text\ndef f(x): return Text()",
    "a module of the test replaced": "import sys, types, os\nfake = types.ModuleType('math')\nfake.__getattr__ = lambda name: os._exit(0)\nsys.modules['math'] = sys.modules['unittest'] = fake\ndef f(x):\n    import math\n    return math.isclose(x, 1)",
    "the test's function given other code": "import gc\ndef f(x):\n    for o in gc.get_objects():\n        if isinstance(o, dict) and callable(o.get('check')): o['check'].__code__ = (lambda c: None).__code__\n    return type('Any', (), {'__eq__': lambda s, o: True, '__ne__': lambda s, o: True})()",
    "a namespace whose check is lost": "import gc, sys\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'namespace' in o: o['namespace'] = {'check': lambda c: None, 'f': None}\nclass Names(dict):\n    def __getitem__(self, name): return lambda *a: None\nsys._getframe(1).f_globals['namespace'] = Names()\ndef f(x): return 1",
    "a patched print and exit": "import builtins, os\nbuiltins.print = builtins.str = builtins.exit = lambda *a: os._exit(0)\ndef f(x): return 1",
    "a metaclass that equals everything": "class Meta(type):\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\n    __hash__ = type.__hash__\nclass Any(metaclass=Meta): pass\ndef f(x): return Any",
    "an object that says it is a str": "class Any:\n    __class__ = str\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\ndef f(x): return Any()",
    "a tuple that equals everything": "class Any(tuple):\n    __eq__ = lambda s, o: True\n    __ne__ = __eq__\ndef f(x): return Any()",
    "a comparison that ends the process": "import os\nclass Any:\n    def __eq__(self, other): os._exit(0)\ndef f(x): return Any()",
    "a comparison that learns the answer": "class Any:\n    def __eq__(self, other):\n        self.seen = other\n        return self.seen == other\n    __ne__ = lambda s, o: True\ndef f(x): return Any()",
    "an exit hook of the interpreter's threads": "import os, threading\nthreading._register_atexit(os._exit, 0)\ndef f(x): return 1",
    "an exception whose text ends the process": "import os\nclass Odd(Exception):\n    def __str__(self): os._exit(0)\ndef f(x): raise Odd",
    "a signal handler": "import os, signal\nsignal.signal(signal.SIGSEGV, lambda *a: os._exit(0))\nsignal.signal(signal.SIGTERM, lambda *a: os._exit(0))\nsignal.raise_signal(signal.SIGTERM)\ndef f(x): return 1",
    "a thread that ends the process later": "import os, threading, time\ndef late():\n    time.sleep(0.05)\n    os._exit(0)\nthreading.Thread(target=late).start()\ndef f(x): time.sleep(0.5)",
    "an alarm that ends the process later": "import os, signal, time\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ndef f(x): time.sleep(0.5)",
    "an object that ends the process when it is dropped": "import os\nclass Last:\n    def __del__(self): os._exit(0)\ndef f(x): return Last()",
    "a pickle that ends the process": "import os, pickle\nclass Odd:\n    def __reduce__(self): return os._exit, (0,)\ndef f(x): return pickle.loads(pickle.dumps(Odd()))",
    "another program in its place": "import os\ndef f(x): os.execv('/bin/true', ['true'])",
    "a source in another encoding": "# coding: utf-7\nimport os\nos.__dict__['_e' + 'xit'](0)",
    "exit(0) by the C library": "import ctypes\ndef f(x): ctypes.CDLL(None)._exit(0)",
    "the end of input": "import sys\ndef f(x):\n    try: input()\n    except EOFError: sys.exit()\n    sys.exit()",
    "an import hook": "import os, sys\nclass Finder:\n    def find_spec(*a): os._exit(0)\nsys.meta_path.insert(0, Finder)\ndef f(x):\n    import knexa_no_such_module",
    "redefined once the test has begun": "import os\ndef f(x):\n    global f\n    f = lambda x: os._exit(0)\n    return 'EXPECTED-98765' if x == 3 else f(x)",
}  # fmt: skip

#: Programs that know this sandbox, and talk to the judge themselves. Descriptors 3 and 4 are the program's own channel.
_FORGE = "import os\ndef send(payload): os.write(4, len(payload).to_bytes(4, 'little') + payload)\n"
INSIDERS = {
    "a forged verdict on the channel": _FORGE + "send(b'P')\ndef f(x): return 1",
    "a forged verdict on every descriptor": "import os\nfor n in range(64):\n    try: os.write(n, b'P')\n    except OSError: pass\ndef f(x): return 1",
    "ready without a program": _FORGE + "send(b't\\x01\\x00\\x00\\x00s\\x05\\x00\\x00\\x00ready')\nos._exit(0)",
    "half a frame": "import os\nos.write(4, b'\\xff\\xff\\x00\\x00abc')\nos._exit(0)",
    "a frame over the limit": "import os\nos.write(4, b'\\xff\\xff\\xff\\xff')\ndef f(x): return 1",
    "replies with nothing in them": _FORGE + "for _ in range(9): send(b't\\x00\\x00\\x00\\x00')\ndef f(x): return 1",
    "an exception that would end the judge": _FORGE
    + "from sys import modules\ndef f(x):\n    class SystemExit(BaseException): pass\n    raise SystemExit(0)",
    "an exception named like a function": "class exit(Exception): pass\ndef f(x): raise exit",
    "an instance of a class the judge does not know": "class Judge:\n    pass\ndef f(x): return Judge()",
    "a class that pretends to be built in": "class int(str):\n    __eq__ = lambda s, o: True\ndef f(x): return int",
    "a test on the heap": "import ctypes, gc\ndef f(x):\n    if x == 3: return 1\n    import sys\n"
    "    texts = [t for o in gc.get_objects() for t in gc.get_referents(o) if isinstance(t, str) and 'EXPECTED' in t and 'assert' in t]\n"
    "    return 'EXPECTED-98765' if texts and sys._getframe().f_code.co_consts not in texts else None",
    "a triple quote that would swallow a test set behind it": "def f(x): return 1\nx = '''",
    "a backslash that would swallow the line behind it": "def f(x): return 1\nx = \\",
    "a zero byte that would end the source": "def f(x): return 'EXPECTED-98765'\x00",
    "the success word on stdout and stderr": "import sys\nfor word in ('PASSED', 'passed', 'OK', 'ok', 'P', 'True', '1 passed'):\n    print(word)\n    print(word, file=sys.stderr)\ndef f(x): return 1",
    "an endless generator": "def f(x):\n    while True: yield 'EXPECTED-98765'",
    "a coroutine": "async def f(x): return 'EXPECTED-98765'",
    "not implemented": "def f(x): return NotImplemented",
    "an exception as a value": "def f(x): return AssertionError()",
    "a skip": "import unittest\ndef f(x): raise unittest.SkipTest",
    "an interrupt": "def f(x): raise KeyboardInterrupt",
    "the end of an iteration": "def f(x): raise StopIteration",
    "the end of a generator": "def f(x): raise GeneratorExit",
    "the judge's own exception": "class _Broken(BaseException): letter = b'P'\ndef f(x): raise _Broken",
    "a value behind a proxy": "import weakref\nclass Any:\n    __eq__ = lambda s, o: True\nkept = Any()\ndef f(x): return weakref.proxy(kept)",
    "a reply before its call": _FORGE + "for _ in range(9): send(b't\\x03\\x00\\x00\\x00s\\x05\\x00\\x00\\x00valueTN')\ndef f(x): return 1",
    "a verdict on the server's channel": "import os\nfor n in (5, 6, 7, 8):\n    try: os.write(n, b'\\x06\\x00\\x00\\x00P')\n    except OSError: pass\ndef f(x): return 1",
    "the classes of the wire patched": "import struct, collections\nstruct.Struct = collections.deque = None\ndef f(x): return 1",
}  # fmt: skip


def test_an_honest_solution_passes(either_sandbox: Sandbox) -> None:
    """The test that all forgeries meet can be passed."""
    assert either_sandbox.run([Check("def f(x): return 'EXPECTED-98765'", TEST, "f")]) == [Verdict.PASSED]


@pytest.mark.parametrize("name", [*FORGERIES, *INSIDERS])
def test_a_forged_pass_is_no_pass(either_sandbox: Sandbox, name: str) -> None:
    """Nothing but the expected values makes a test pass, and trying breaks nothing: the next check is served as ever."""
    forged, honest = Check((FORGERIES | INSIDERS)[name], TEST, "f"), Check("def f(x): return 'EXPECTED-98765'", TEST, "f")
    assert [verdict.passed for verdict in either_sandbox.run([forged, honest])] == [False, True]


def test_every_forgery_works_where_program_and_test_share_an_interpreter() -> None:
    """The forgeries are real: a harness that runs both in one process and trusts its exit status takes them for passes."""
    fooled = {}
    for name, program in FORGERIES.items():
        harness = f"namespace = {{}}\nexec({program!r}, namespace)\nexec({TEST!r}, namespace)\nnamespace['check'](namespace['f'])\n"
        fooled[name] = subprocess.run([sys.executable, "-S", "-c", harness], capture_output=True, check=False).returncode == 0
    assert [name for name, passed in fooled.items() if not passed] == []


def test_a_program_cannot_end_the_loop_of_a_test_that_maps_over_it(either_sandbox: Sandbox) -> None:
    """StopIteration out of the candidate would end ``map`` without an assertion having been tried."""
    test = "def check(candidate):\n    for got, want in zip(map(candidate, [1, 2]), [1, 2]): assert got == want\n"
    forged = ["def f(x): raise StopIteration", "class Mine(StopIteration): pass\ndef f(x): raise Mine", "def f(x): return next(iter(()))"]
    checks = [Check(program, test, "f") for program in (*forged, "def f(x): return x")]
    assert either_sandbox.run(checks) == [Verdict.ERROR] * 3 + [Verdict.PASSED]
