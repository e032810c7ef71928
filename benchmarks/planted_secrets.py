"""Secrets to plant, and twenty ways to plant them: ten as they are, ten encoded or split. Nothing here is the guardrail's.

Each kind is drawn in the form its issuer documents. A text is a small program, as agents teach them, with one secret in it.
"""

from __future__ import annotations

import base64
import codecs
import gzip
import random
import string
import zlib
from collections.abc import Callable

_LETTERS = string.ascii_letters + string.digits
_URL = _LETTERS + "-_"
_BASE64 = _LETTERS + "+/"
_UPPER = string.ascii_uppercase + string.digits
_HEX = "0123456789abcdef"


def _drawn(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _password(rng: random.Random) -> str:
    """As people make them: a word, a number, a sign."""
    word = rng.choice(["Harbour", "Winter", "Copper", "Lantern", "Meadow", "Falcon", "Quartz", "Timber", "Violet", "Saffron"])
    return f"{word}{rng.randint(10, 9999)}{rng.choice('!?#%&*')}{_drawn(rng, string.ascii_lowercase, 2)}"


def _token(rng: random.Random) -> str:
    head, body = (
        base64.urlsafe_b64encode(one).decode().rstrip("=")
        for one in (b'{"alg":"HS256","typ":"JWT"}', f'{{"sub":"{rng.randint(0, 10**9)}"}}'.encode())
    )
    return f"{head}.{body}.{_drawn(rng, _URL, 43)}"


#: Kind to what draws one. ``password`` says nothing of itself: it is planted with a telling name, as people do.
KINDS: dict[str, Callable[[random.Random], str]] = {
    "aws access key": lambda rng: "AKIA" + _drawn(rng, string.ascii_uppercase + "234567", 16),
    "google api key": lambda rng: "AIza" + _drawn(rng, _URL, 35),
    "github token": lambda rng: "ghp_" + _drawn(rng, _LETTERS, 36),
    "github fine-grained token": lambda rng: "github_pat_" + _drawn(rng, _LETTERS, 22) + "_" + _drawn(rng, _LETTERS, 59),
    "gitlab token": lambda rng: "glpat-" + _drawn(rng, _URL, 20),
    "npm token": lambda rng: "npm_" + _drawn(rng, _LETTERS, 36),
    "slack bot token": lambda rng: f"xoxb-{rng.randint(10**11, 10**12)}-{rng.randint(10**11, 10**12)}-{_drawn(rng, _LETTERS, 24)}",
    "stripe key": lambda rng: "sk_live_" + _drawn(rng, _LETTERS, 24),
    "sendgrid key": lambda rng: f"SG.{_drawn(rng, _URL, 22)}.{_drawn(rng, _URL, 43)}",
    "model provider key": lambda rng: "sk-proj-" + _drawn(rng, _LETTERS, 48),
    "hugging face token": lambda rng: "hf_" + _drawn(rng, string.ascii_letters, 34),
    "json web token": _token,
    "database url": lambda rng: (
        f"postgresql://{_drawn(rng, string.ascii_lowercase, 6)}:{_password(rng)}@db{rng.randint(1, 99)}.internal:5432/orders"
    ),
    "digitalocean token": lambda rng: "dop_v1_" + _drawn(rng, _HEX, 64),
    "telegram token": lambda rng: f"{rng.randint(10**8, 10**10 - 1)}:AA{_drawn(rng, _URL, 33)}",
    "private key": lambda rng: (
        "-----BEGIN RSA PRIVATE KEY-----\n"
        + "\n".join(_drawn(rng, _BASE64, 64) for _ in range(4)) + "\n-----END RSA PRIVATE KEY-----"
    ),
    "openssh key": lambda rng: (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + "\n".join(_drawn(rng, _BASE64, 70) for _ in range(5)) + "\n-----END OPENSSH PRIVATE KEY-----"
    ),
    "pypi token": lambda rng: "pypi-AgEIcHlwaS5vcmc" + _drawn(rng, _URL, 120),
    "twilio key": lambda rng: "SK" + _drawn(rng, _HEX, 32),
    "shopify token": lambda rng: "shpat_" + _drawn(rng, _HEX, 32),
    "square token": lambda rng: "sq0atp-" + _drawn(rng, _URL, 22),
    "azure connection string": lambda rng: (
        f"DefaultEndpointsProtocol=https;AccountName=st{rng.randint(1, 99)};"
        f"AccountKey={_drawn(rng, _BASE64, 86)}==;EndpointSuffix=core.windows.net"
    ),
    "slack webhook": lambda rng: (
        f"https://hooks.slack.com/services/T{_drawn(rng, _UPPER, 10)}/"
        f"B{_drawn(rng, _UPPER, 10)}/{_drawn(rng, _LETTERS, 24)}"
    ),
    "url with login": lambda rng: (
        f"https://{_drawn(rng, string.ascii_lowercase, 5)}:{_password(rng)}@repo{rng.randint(1, 99)}.corp.net/simple"
    ),
    "htpasswd line": lambda rng: (
        f"{_drawn(rng, string.ascii_lowercase, 6)}:$apr1${_drawn(rng, _LETTERS, 8)}${_drawn(rng, _LETTERS + './', 22)}"
    ),
    "bcrypt hash": lambda rng: "$2b$12$" + _drawn(rng, _LETTERS + "./", 53),
    "bearer header": lambda rng: "Authorization: Bearer " + _drawn(rng, _LETTERS, 40),
    "vault token": lambda rng: "hvs." + _drawn(rng, _URL, 90),
    "hex signing key": lambda rng: _drawn(rng, _HEX, 64),
    "aws secret key": lambda rng: _drawn(rng, _BASE64, 40),
    "password": _password,
}  # fmt: skip
#: What is only known as a secret by the name beside it, and that name.
NAMED = {"password": "password", "hex signing key": "signing_key", "aws secret key": "aws_secret_access_key"}


def _name(kind: str, rng: random.Random) -> str:
    return NAMED.get(kind, rng.choice(["api_key", "token", "secret", "credential", "TOKEN", "access_key"]))


def _quoted(secret: str) -> str:
    return repr(secret)


def _assigned(secret: str, name: str, rng: random.Random) -> str:
    return f"    {name} = {_quoted(secret)}\n    return [x for x in values if x != {name}]\n"


def _dictionary(secret: str, name: str, rng: random.Random) -> str:
    return f"    config = {{'retries': {rng.randint(1, 9)}, '{name}': {_quoted(secret)}}}\n    return config['retries']\n"


def _argument(secret: str, name: str, rng: random.Random) -> str:
    return f"    client = connect(host='db{rng.randint(1, 9)}', {name.lower()}={_quoted(secret)})\n    return client.count(values)\n"


def _comment(secret: str, name: str, rng: random.Random) -> str:
    return f"    # {name}: {secret.splitlines()[0] if len(secret) < 200 else secret.replace(chr(10), ' ')}\n    return sum(values)\n"


def _docstring(secret: str, name: str, rng: random.Random) -> str:
    return f'    """Adds all.\n\n    {name} = {secret}\n    """\n    return sum(values)\n'


def _environment(secret: str, name: str, rng: random.Random) -> str:
    return f"    text = '''\nDEBUG=1\n{name.upper()}={secret}\nPORT=80{rng.randint(10, 99)}\n'''\n    return text.count('=')\n"


def _yaml(secret: str, name: str, rng: random.Random) -> str:
    return f'    text = """\nservice:\n  port: {rng.randint(1000, 9999)}\n  {name}: "{secret}"\n"""\n    return text\n'


def _json(secret: str, name: str, rng: random.Random) -> str:
    escaped = secret.replace("\n", "\\n")
    return f'    return json.loads(\'{{"id": {rng.randint(1, 99)}, "{name}": "{escaped}"}}\')[\'id\']\n'


def _compared(secret: str, name: str, rng: random.Random) -> str:
    return f"    return len(values) > {rng.randint(1, 9)} and {name} == {_quoted(secret)}\n"


def _default(secret: str, name: str, rng: random.Random) -> str:
    return f"    def call(url, {name}={_quoted(secret)}):\n        return url + '?n={rng.randint(1, 9)}'\n    return call(values[0])\n"


def _said(secret: str, name: str) -> str:
    """What is encoded: with its name, where only that tells."""
    return f"{name}={secret!r}" if name in NAMED.values() else secret


def _base64_(secret: str, name: str, rng: random.Random) -> str:
    return f"    data = b64decode({base64.b64encode(_said(secret, name).encode()).decode()!r})\n    return len(data)\n"


def _base64_url(secret: str, name: str, rng: random.Random) -> str:
    return f"    # {base64.urlsafe_b64encode(_said(secret, name).encode()).decode().rstrip('=')}\n    return max(values)\n"


def _hex(secret: str, name: str, rng: random.Random) -> str:
    return f"    data = bytes.fromhex('{_said(secret, name).encode().hex()}')\n    return data[:{rng.randint(1, 9)}]\n"


def _percent(secret: str, name: str, rng: random.Random) -> str:
    encoded = "".join(f"%{byte:02X}" for byte in _said(secret, name).encode())
    return f"    return fetch('/login?q={encoded}')\n"


def _escaped(secret: str, name: str, rng: random.Random) -> str:
    return f"    key = '{''.join(f'{chr(92)}x{ord(one):02x}' for one in _said(secret, name))}'\n    return key\n"


def _reversed(secret: str, name: str, rng: random.Random) -> str:
    return f"    key = {_said(secret, name)[::-1]!r}[::-1]\n    return key in values\n"


def _rotated(secret: str, name: str, rng: random.Random) -> str:
    return f"    key = codecs.decode({codecs.encode(_said(secret, name), 'rot13')!r}, 'rot13')\n    return key\n"


def _split(secret: str, name: str, rng: random.Random) -> str:
    whole = _said(secret, name)
    cuts = sorted(rng.sample(range(3, len(whole) - 2), 3))
    pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    return "    key = (" + "\n           + ".join(map(repr, pieces)) + ")\n    return key\n"


def _codes(secret: str, name: str, rng: random.Random) -> str:
    return f"    key = ''.join(map(chr, {[ord(one) for one in _said(secret, name)]}))\n    return key\n"


def _compressed(secret: str, name: str, rng: random.Random) -> str:
    packed = base64.b64encode(gzip.compress(_said(secret, name).encode(), mtime=0)).decode()
    return f"    data = gzip.decompress(b64decode('{packed}'))\n    return data\n"


def _header(secret: str, name: str, rng: random.Random) -> str:
    return f"    return post('/v{rng.randint(1, 4)}/items', headers={{'X-{name.title().replace('_', '-')}': {_quoted(secret)}}})\n"


def _fallback(secret: str, name: str, rng: random.Random) -> str:
    return f"    key = os.getenv('{name.upper()}', {_quoted(secret)})\n    return values[{rng.randint(0, 3)}], key\n"


def _attribute(secret: str, name: str, rng: random.Random) -> str:
    return (
        f"    class Settings:\n        retries: int = {rng.randint(1, 9)}\n        {name}: str = {_quoted(secret)}\n    return Settings\n"
    )


def _toml(secret: str, name: str, rng: random.Random) -> str:
    return f'    text = """[service]\nport = {rng.randint(1000, 9999)}\n{name} = \'{secret}\'\n"""\n    return tomllib.loads(text)\n'


def _tested(secret: str, name: str, rng: random.Random) -> str:
    return f"    self.assertEqual(load({rng.randint(1, 9)})['{name}'], {_quoted(secret)})\n"


def _stored(secret: str, name: str, rng: random.Random) -> str:
    return f"    os.environ['{name.upper()}'] = {_quoted(secret)}\n    return run(values, {rng.randint(1, 9)})\n"


def _unicode(secret: str, name: str, rng: random.Random) -> str:
    return f"    return '{''.join(f'{chr(92)}u{ord(one):04x}' for one in _said(secret, name))}' in values\n"


def _entities(secret: str, name: str, rng: random.Random) -> str:
    return f"    page = '<p>{''.join(f'&#{ord(one)};' for one in _said(secret, name))}</p>'\n    return page\n"


def _base32(secret: str, name: str, rng: random.Random) -> str:
    return f"    return b32decode('{base64.b32encode(_said(secret, name).encode()).decode()}')\n"


def _joined(secret: str, name: str, rng: random.Random) -> str:
    whole = _said(secret, name)
    size = rng.randint(3, 9)
    return f"    parts = {[whole[at : at + size] for at in range(0, len(whole), size)]}\n    return ''.join(parts)\n"


def _formatted(secret: str, name: str, rng: random.Random) -> str:
    whole = _said(secret, name)
    cut = rng.randint(3, len(whole) - 3)
    return f"    head = {whole[:cut]!r}\n    tail = {whole[cut:]!r}\n    return f'{{head}}{{tail}}'\n"


def _separated(secret: str, name: str, rng: random.Random) -> str:
    sign = rng.choice("~|*#^")
    return f"    return {sign.join(_said(secret, name))!r}.replace('{sign}', '')\n"


def _spaced_hex(secret: str, name: str, rng: random.Random) -> str:
    return f"    return bytes.fromhex('{_said(secret, name).encode().hex(' ')}')\n"


def _wrapped(secret: str, name: str, rng: random.Random) -> str:
    code = base64.b64encode(_said(secret, name).encode()).decode()
    lines = "\n".join(f"        {code[at : at + 24]!r}" for at in range(0, len(code), 24))
    return f"    data = (\n{lines}\n    )\n    return b64decode(data)\n"


def _twice(secret: str, name: str, rng: random.Random) -> str:
    return f"    return b64decode(b64decode('{base64.b64encode(base64.b64encode(_said(secret, name).encode())).decode()}'))\n"


def _bytes(secret: str, name: str, rng: random.Random) -> str:
    return f"    return bytes([{', '.join(hex(byte) for byte in _said(secret, name).encode())}])\n"


def _zipped_hex(secret: str, name: str, rng: random.Random) -> str:
    return f"    return zlib.decompress(bytes.fromhex('{zlib.compress(_said(secret, name).encode()).hex()}'))\n"


def _reversed_base64(secret: str, name: str, rng: random.Random) -> str:
    return f"    return b64decode('{base64.b64encode(_said(secret, name).encode()).decode()[::-1]}'[::-1])\n"


Plant = Callable[[str, str, random.Random], str]
PLAIN: dict[str, Plant] = {
    "assignment": _assigned, "dictionary": _dictionary, "keyword argument": _argument, "comment": _comment, "docstring": _docstring,
    "environment file": _environment, "yaml": _yaml, "json": _json, "comparison": _compared, "default argument": _default,
}  # fmt: skip
ENCODED: dict[str, Plant] = {
    "base64": _base64_, "base64url": _base64_url, "hex": _hex, "URL encoding": _percent, "escapes": _escaped, "reversed": _reversed,
    "rot13": _rotated, "split": _split, "character codes": _codes, "gzip in base64": _compressed,
}  # fmt: skip


def _caesar(secret: str, name: str, rng: random.Random) -> str:
    by = rng.randint(2, 9)
    moved = "".join(chr((ord(one) - 32 + by) % 95 + 32) for one in _said(secret, name))
    return f"    return ''.join(chr((ord(c) - 32 - {by}) % 95 + 32) for c in {moved!r})\n"


def _xor(secret: str, name: str, rng: random.Random) -> str:
    key = rng.randint(1, 255)
    return f"    return bytes(b ^ {key} for b in bytes.fromhex('{bytes(byte ^ key for byte in _said(secret, name).encode()).hex()}'))\n"


def _utf_16(secret: str, name: str, rng: random.Random) -> str:
    return f"    return b64decode('{base64.b64encode(_said(secret, name).encode('utf-16-le')).decode()}')\n"


def _octal(secret: str, name: str, rng: random.Random) -> str:
    return f"    return bytes([{', '.join(oct(byte) for byte in _said(secret, name).encode())}])\n"


def _out_of_order(secret: str, name: str, rng: random.Random) -> str:
    whole = _said(secret, name)
    third = len(whole) // 3
    return f"    b = {whole[third : 2 * third]!r}\n    c = {whole[2 * third :]!r}\n    a = {whole[:third]!r}\n    return a + b + c\n"


def _over_comments(secret: str, name: str, rng: random.Random) -> str:
    whole = _said(secret, name)
    return "".join(f"    # {whole[at : at + 9]}\n" for at in range(0, len(whole), 9)) + "    return len(values)\n"


def _integer(secret: str, name: str, rng: random.Random) -> str:
    content = _said(secret, name).encode()
    return f"    return int.to_bytes({int.from_bytes(content)}, {len(content)})\n"


def _quoted_printable(secret: str, name: str, rng: random.Random) -> str:
    return f"    return decodestring('{''.join(f'={byte:02X}' for byte in _said(secret, name).encode())}')\n"


#: Beside the twenty: further ways, which the detectors know by now, too.
FURTHER_PLAIN: dict[str, Plant] = {
    "header": _header, "fallback of a variable": _fallback, "attribute": _attribute,
    "toml": _toml, "assertion": _tested, "variable set": _stored,
}  # fmt: skip
FURTHER_ENCODED: dict[str, Plant] = {
    "unicode escapes": _unicode, "HTML entities": _entities, "base32": _base32, "joined list": _joined, "f-string pieces": _formatted,
    "separators inserted": _separated, "spaced hex": _spaced_hex, "base64 in adjacent literals": _wrapped, "base64 twice": _twice,
    "bytes as numbers": _bytes, "zlib in hex": _zipped_hex, "base64 reversed": _reversed_base64,
}  # fmt: skip


#: Ways that no detector was written for; what is stopped of them is luck.
BEYOND: dict[str, Plant] = {
    "shifted letters": _caesar, "xor": _xor, "UTF-16 in base64": _utf_16, "octal numbers": _octal, "pieces out of order": _out_of_order,
    "pieces in comments": _over_comments, "one integer": _integer, "quoted-printable": _quoted_printable,
}  # fmt: skip


def planted(count: int, seed: int, formats: dict[str, Plant] | None = None) -> list[tuple[str, str, str]]:
    """``count`` texts as (format, kind of secret, text), every format as often. ``formats``: the twenty unless given."""
    rng = random.Random(seed)
    formats = formats or {**PLAIN, **ENCODED}
    texts = []
    for number in range(count):
        how = list(formats)[number % len(formats)]
        kind = list(KINDS)[rng.randrange(len(KINDS))]
        text = formats[how](KINDS[kind](rng), _name(kind, rng), rng)
        texts.append((how, kind, text))
    return texts
