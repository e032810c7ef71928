# ruff: noqa: E501 - the programs are easier to compare on one line each
"""Programs that take all they can: memory, disk, output, processor, descriptors, time of the judge; each with the verdict it should get."""

from knexa.evaluation.sandbox import Verdict

HOGS = {
    "memory": ("def probe():\n    return len([0] * 10**9)", Verdict.MEMORY),
    "memory in small pieces": ("def probe():\n    kept = []\n    while True: kept.append(bytearray(1 << 16))", Verdict.MEMORY),
    "one huge string": ("def probe():\n    return 'x' * (1 << 40)", Verdict.MEMORY),
    "endless loop": ("def probe():\n    while True: pass", Verdict.TIMEOUT),
    "endless loop on import": ("while True: pass", Verdict.TIMEOUT),
    "endless sleep": ("import time\ndef probe(): time.sleep(1000)", Verdict.STALLED),
    "deadlock": ("import _thread\ndef probe():\n    lock = _thread.allocate_lock()\n    lock.acquire()\n    lock.acquire()", Verdict.STALLED),
    "ignores every signal": (
        "import signal\nfor number in range(1, 32):\n    if number not in (9, 19): signal.signal(number, signal.SIG_IGN)\nwhile True: pass",
        Verdict.TIMEOUT,
    ),
    "uncatchable loop": ("def probe():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass", Verdict.TIMEOUT),
    "arithmetic that never returns to the interpreter": ("def probe(): return 7 ** (10 ** 8)", Verdict.TIMEOUT),
    "regular expression that backtracks": ("import re\ndef probe(): return re.match('(a+)+$', 'a' * 60 + 'b')", Verdict.TIMEOUT),
    "endless output": ("def probe():\n    while True: print('x' * 10**6)", Verdict.TIMEOUT),
    "endless iterator": ("import itertools\ndef probe(): return itertools.count()", Verdict.ERROR),
    "fork bomb": ("import os\ndef probe():\n    while True: os.fork()", Verdict.ERROR),
    "thread bomb": ("import threading, time\ndef probe():\n    while True: threading.Thread(target=time.sleep, args=(9,)).start()", Verdict.ERROR),
    "recursion": ("def probe(): return probe()", Verdict.ERROR),
    "stack overflow": ("import sys\nsys.setrecursionlimit(10**9)\nprobe = lambda: eval('probe()')", Verdict.ERROR),
    "null pointer": ("import ctypes\ndef probe(): ctypes.string_at(0)", Verdict.ERROR),
    "a reply of gigabytes": ("def probe(): return [b'x' * (1 << 24)] * 64", Verdict.MEMORY),
    "a reply over the limit": ("def probe(): return [b'x' * (1 << 20)] * 40", Verdict.MEMORY),
    "bottomless nesting": ("def probe():\n    value = []\n    for _ in range(10**5): value = [value]\n    return value", Verdict.ERROR),
    "closes every descriptor": ("import os\nos.closerange(0, 100)\ndef probe(): return 1", Verdict.ERROR),
    "memory by anonymous maps": ("import mmap\ndef probe():\n    kept = []\n    while True: kept.append(mmap.mmap(-1, 1 << 20))", Verdict.MEMORY),
    "memory in the judge by a shared object sent often": ("def probe():\n    piece = ['x' * 1000] * 1000\n    return [piece] * 1000", Verdict.MEMORY),
    "a packed bomb": ("import zlib\npacker = zlib.compressobj(wbits=-15)\npiece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)\nbomb = piece * 100 + packer.flush()\ndef probe(): return len(zlib.decompress(bomb, wbits=-15))", Verdict.MEMORY),
    "ten gigabytes on disk": ("import os\ndef probe():\n    for folder in ('/tmp', '/var/tmp', '/dev/shm', '/', '.'):\n        try: open(folder + '/knexa-hog', 'wb').write(bytes(1 << 20))\n        except OSError: pass\n    open('/tmp/knexa-hog', 'wb').truncate(10 << 30)", Verdict.ERROR),
    "all inodes": ("import os\ndef probe():\n    for number in range(10**6): os.mkdir(f'/tmp/knexa-hog-{number}')", Verdict.ERROR),
    "all descriptors": ("import ctypes\ndef probe():\n    libc, count = ctypes.CDLL(None), 0\n    while libc.dup(0) >= 0: count += 1\n    assert 0 < count < 64\n    raise OSError", Verdict.ERROR),
    "shared memory": ("from multiprocessing.shared_memory import SharedMemory\ndef probe(): SharedMemory('knexa-hog', True, 1 << 30)", Verdict.ERROR),
    "endless output past the interpreter": ("import os\ndef probe():\n    while True: os.write(1, b'x' * 65536)", Verdict.TIMEOUT),
    "an integer of a gigabit": ("def probe(): return 1 << (1 << 32)", Verdict.MEMORY),
    "an integer printed": ("import sys\nsys.set_int_max_str_digits(0)\ndef probe(): return str(3 ** 3000000)", Verdict.TIMEOUT),
    "keys that collide": ("def probe(): return {n * (2**61 - 1): 0 for n in range(1, 10**5)}", Verdict.TIMEOUT),
    "endless compilation": ("def probe(): eval('(' * 90 + '1' + '+1' * 10**6 + ')' * 90)", Verdict.ERROR),
    "recursion in a comparison": ("def probe():\n    one, two = [], []\n    one.append(two)\n    two.append(one)\n    return one == two", Verdict.ERROR),
    "an exception of gigabytes": ("def probe(): raise ValueError('x' * (1 << 31))", Verdict.MEMORY),
    "an exception whose text never ends": ("class Odd(Exception):\n    def __str__(self):\n        while True: pass\ndef probe(): raise Odd", Verdict.TIMEOUT),
    "an iterator that never yields": ("def probe():\n    while True: pass\n    yield", Verdict.TIMEOUT),
    "a finaliser that never ends": ("class Odd:\n    def __del__(self):\n        while True: pass\ndef probe(): Odd()", Verdict.TIMEOUT),
    "half a reply, then silence": ("import os, time\ndef probe():\n    os.write(4, b'\\xff\\x00\\x00\\x00')\n    time.sleep(1000)", Verdict.STALLED),
}  # fmt: skip

#: Both run too often for the rule for idle ticks, and too little to use up their limit soon.
NAPPERS = {
    "works between naps": "import time\ndef probe():\n    while True:\n        until = time.process_time() + 0.002\n        while time.process_time() < until: pass\n        time.sleep(0.02)",
    "naps for no time at all": "import time\ndef probe():\n    while True: time.sleep(0)",
}
