"""What texts of others must not hold: name, what has to be there (in lower case) before the form is tried, and the form."""

from __future__ import annotations

import re

RULES: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "network",
        ("socket", "http", "urllib", "requests", "ftplib", "smtplib", "telnet", "paramiko", "aiohttp", "xmlrpc"),
        re.compile(
            r"\b(?:import|from)\s+(?:socket|http|urllib|requests|httpx|ftplib|smtplib|telnetlib|paramiko"
            r"|aiohttp|xmlrpc|websockets?|poplib|imaplib|ssl|socketserver)\b|\burlopen\s*\("
            r"|\bsocket\.socket\b|\brequests\.(?:get|post|put)\b"
        ),
    ),
    (
        "process",
        ("subprocess", "system", "popen", "spawn", "exec", "fork", "pty", "kill"),
        re.compile(
            r"\b(?:import|from)\s+(?:subprocess|pty)\b|\bos\.(?:system|popen|exec[lv]p?e?|spawn\w*|fork"
            r"|forkpty|kill|killpg|posix_spawnp?)\b|\bsubprocess\.\w+"
        ),
    ),
    (
        "code-from-data",
        ("exec", "eval", "compile", "marshal", "pickle", "__import__", "importlib", "getattr", "dill", "shelve"),
        re.compile(
            r"(?<![\w.])(?:exec|compile)\s*\(|(?<![\w.])eval\s*\((?!\s*['\"])|\b(?:marshal|pickle|dill"
            r"|shelve)\s*\.\s*\w*(?:load|open)\w*|\b(?:import|from)\s+(?:marshal|pickle|dill)\b"
            r"|__import__\s*\(|\bimportlib\b|getattr\s*\(\s*(?:__builtins__|builtins|sys|os)\b"
        ),
    ),
    ("native-code", ("ctypes", "cffi", "mmap"), re.compile(r"\b(?:import|from)\s+(?:ctypes|cffi|_ctypes|mmap)\b|\bctypes\.\w+")),
    (
        "deletion",
        ("rmtree", "remove", "unlink", "rmdir", "truncate", "rename"),
        re.compile(
            r"\b(?:os|shutil)\.(?:remove|unlink|rmdir|removedirs|rename|replace|truncate|rmtree|move|chmod"
            r"|chown)\b|\.unlink\s*\(|\bPath\([^)]*\)\.(?:rmdir|rename|replace|write_\w+)"
        ),
    ),
    (
        "interpreter",
        (
            "sys.",
            "os._exit",
            "builtins",
            "__builtins__",
            "gc.",
            "inspect",
            "_getframe",
            "__subclasses__",
            "__globals__",
            "settrace",
            "atexit",
        ),
        re.compile(
            r"\bsys\.(?:modules|path\.(?:insert|append)|meta_path|path_hooks|settrace|setprofile|_getframe"
            r"|std(?:in|out|err)\s*=(?!=))|\bbuiltins\.\w+\s*=|__builtins__|\bgc\.get_\w+|\binspect\.(?:stack"
            r"|currentframe)|__subclasses__|__globals__|__code__|\batexit\.|\bos\._exit\b"
        ),
    ),
    (
        "secrets-of-the-machine",
        ("environ", "getenv", "/etc/", ".ssh", "/proc/", "getpass", "expanduser"),
        re.compile(
            r"\bos\.(?:environ|getenv)\b|/etc/(?:passwd|shadow|hosts)|\.ssh\b|/proc/(?:self|\d+)|\bgetpass\."
            r"|\bexpanduser\s*\("
        ),
    ),
    (
        "written-file",
        ("open", "write_"),
        re.compile(r"(?<![\w.])open\s*\([^)\n]*,\s*(?:mode\s*=\s*)?['\"][^'\"\n]*[wax+]|\.write_(?:text|bytes)\s*\("),
    ),
    (
        "chat-markup",
        ("<|", "[inst]", "<<sys>>", "<s>", "### ", "<tool", "<function", "</s>"),
        re.compile(
            r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|tool)[^|]*\|>"
            r"|\[/?INST\]|<</?SYS>>|</?(?:tool_call|function_call|tool_use|invoke)\b|^### ?(?:Instruction"
            r"|System|Human|Assistant)\b:?",
            re.I | re.M,
        ),
    ),
    (
        "instruction",
        ("ignore", "disregard", "forget", "instruction", "system prompt", "you are now", "pretend", "jailbreak", "do not tell"),
        re.compile(
            r"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|every\s+)*(?:previous"
            r"|prior|above|earlier|preceding|former|other)\s+(?:\w+\s+){0,2}(?:instruction|prompt|message"
            r"|direction|rule|text|context|guideline)s?|\b(?:reveal|print|repeat|show"
            r"|tell)\s+(?:me\s+)?(?:the\s+|your\s+)*(?:system\s+prompt|hidden\s+prompt"
            r"|initial\s+instructions?)|\byou\s+are\s+now\s+(?:a|an|in|the)\b|\bpretend\s+(?:to\s+be"
            r"|that\s+you)\b|\bdo\s+not\s+(?:tell|inform|mention\s+this\s+to)\s+the\s+(?:user|student|human)",
            re.I,
        ),
    ),
    (
        "odd-constant",
        ("if", "while"),
        re.compile(
            r"\b(?:el)?if\b[^\n:]{0,80}?==\s*(?:0x[0-9a-fA-F]{8,}"
            r"|['\"](?=[^'\"\n]*\d[^'\"\n]*\d[^'\"\n]*\d)(?=[^'\"\n]*[A-Za-z][^'\"\n]*[A-Za-z][^'\"\n]*[A-Za-z"
            r"])[\w@!#$%^&*+-]{12,}['\"])[^\n]*:"
        ),
    ),
)
