"""Secrets: keys, tokens and passwords, each family by its own form.

A rule has literals of which one has to be there before its expression is tried, so that most rules cost most texts nothing. What a rule
finds may have to pass a check: a password that is a placeholder is none. Forms are those that the issuers document; entropy is only asked
where a form says little.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from knexa.exchange.guardrail.encodings import decoded_base64, is_readable
from knexa.exchange.guardrail.secret_values import (
    is_bare_password,
    is_password,
    is_random,
    is_random_hex,
    is_said_password,
    is_sequence,
    kinds,
)

#: Rule, first and last character.
Hit = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """``literals``: lower case, one of them is in every text that ``form`` matches. The secret is group 1 of ``form``, or all of it."""

    name: str
    literals: tuple[str, ...]
    form: re.Pattern[str]
    check: Callable[[str], bool] | None = None


def _rule(name: str, literals: str, form: str, check: Callable[[str], bool] | None = None, flags: int = 0) -> Rule:
    return Rule(f"secret/{name}", tuple(literals.split()), re.compile(form, flags), check)


#: Names that say of what stands beside them that it is a secret.
_TELLING = (
    r"(?:passw(?:or)?d|passwort|kennwort|passphrase|passcode|pwd|secret|token|api[ _-]?key|access[ _-]?(?:key|code|phrase)"
    r"|(?:auth|private|signing|encryption|master|session|account)[_-]?key|credentials?)"
)
_TELLING_LITERALS = (
    "password passwd passwort kennwort passphrase passcode pwd secret token apikey api_key api-key "
    "accesskey access_key access-key access_code "
    "access-code access_phrase authkey auth_key auth-key privatekey private_key private-key "
    "signingkey signing_key signing-key encryptionkey "
    "encryption_key encryption-key masterkey master_key master-key sessionkey session_key "
    "session-key accountkey account_key account-key credential"
)
#: Quoted signs after such a name: assigned to it, compared with it, beside it in a dictionary or a call.
_ASSIGNED = _TELLING + r"[\w-]{0,40}['\"]?[\])]{0,2}\s{0,4}(?::\s{0,4}[\w.\[\]| ]{1,40}?)?(?:=>|:=|==|!=|=|:|,)\s{0,4}[bru]{0,2}"

_SAID_LITERALS = "password passwd passphrase passcode secret token api access pin"

#: Characters that a token goes on with, so that none is found inside a longer word.
_END = r"(?![A-Za-z0-9])"
_BEGIN = r"(?<![A-Za-z0-9])"

RULES: tuple[Rule, ...] = (
    _rule("aws-access-key", "akia asia agpa aroa aida anpa", _BEGIN + r"(?:AKIA|ASIA|AGPA|AROA|AIDA|ANPA)[A-Z2-7]{16}" + _END),
    _rule("aws-secret-key", "aws", r"(?is)aws.{0,40}?[^A-Za-z0-9/+]([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])", is_random),
    _rule("google-api-key", "aiza", _BEGIN + r"AIza[0-9A-Za-z_-]{35}" + _END),
    _rule("google-oauth", "ya29. gocspx-", r"ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}"),
    _rule("google-service-account", "service_account", r"""["']type["']\s*:\s*["']service_account["']"""),
    _rule("azure-storage-key", "accountkey=", r"(?i)AccountKey=([A-Za-z0-9+/]{80,}={0,2})"),
    _rule("azure-client-secret", "8q~", _BEGIN + r"[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{30,40}"),
    _rule("azure-shared-access", "sig=", r"[?&]sig=([A-Za-z0-9%+/]{30,}(?:=|%3[dD]){0,2})"),
    _rule("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,}"),
    _rule("gitlab-token", "glpat- gldt- glrt-", r"gl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}"),
    _rule("npm-token", "npm_", _BEGIN + r"npm_[A-Za-z0-9]{36}" + _END),
    _rule("pypi-token", "pypi-", r"pypi-[A-Za-z0-9_-]{60,}"),
    _rule("docker-token", "dckr_pat_", r"dckr_pat_[A-Za-z0-9_-]{20,}"),
    _rule("slack-token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _rule("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    _rule("discord-token", ".", _BEGIN + r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}" + _END),
    _rule("telegram-token", ":aa", r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{33}" + _END),
    _rule("stripe-key", "k_live_ k_test_ whsec_", r"[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}"),
    _rule("twilio-key", "sk ac", _BEGIN + r"(?:SK|AC)[0-9a-f]{32}" + _END),
    _rule("sendgrid-key", "sg.", _BEGIN + r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _rule("mailgun-key", "key-", _BEGIN + r"key-[0-9a-f]{32}" + _END),
    _rule("square-key", "sq0", r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    _rule("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    _rule("model-provider-key", "sk-", _BEGIN + r"sk-(?:[a-z]{2,6}[0-9]{0,2}-){0,2}[A-Za-z0-9_-]{20,}", lambda one: kinds(one[3:]) >= 3),
    _rule("hugging-face-token", "hf_", _BEGIN + r"hf_[A-Za-z0-9]{30,}" + _END),
    _rule("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    _rule("databricks-token", "dapi", _BEGIN + r"dapi[a-f0-9]{32}" + _END),
    _rule("vault-token", "hvs. hvb.", _BEGIN + r"hv[sb]\.[A-Za-z0-9_-]{24,}"),
    _rule("grafana-token", "glsa_ glc_", r"gl(?:sa|c)_[A-Za-z0-9+/_=]{32,}"),
    _rule("new-relic-key", "nrak-", r"NRAK-[A-Z0-9]{27}"),
    _rule("age-key", "age-secret-key-1", r"(?i)AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _rule("json-web-token", "eyj", _BEGIN + r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    _rule("private-key", "private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]+-----|\Z)"),
    _rule("putty-key", "putty-user-key-file", r"PuTTY-User-Key-File-\d(?s:.*)"),
    _rule("url-with-password", "://", r"[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"<>{}]{1,60}:([^\s/@'\"<>{}]{4,})@[\w.-]+", is_password, re.I),
    _rule("connection-string", "pwd= password=", r"(?i)(?:;|^|['\"])\s*(?:pwd|password)\s*=\s*([^;'\"\s]{6,})(?=;|['\"])", is_password),
    _rule("bearer-token", "bearer", r"(?i)\bbearer\s+([A-Za-z0-9._~+/-]{16,}=*)", lambda one: kinds(one) >= 2 and not is_sequence(one)),
    _rule("basic-authorization", "basic", r"(?i)authorization['\"]?\s*[:=,]\s*['\"]?basic\s+([A-Za-z0-9+/]{8,}={0,2})"),
    _rule("password-hash", "$", r"\$(?:apr1|1|2[abxy]|5|6|7|y|argon2(?:id|i|d)|pbkdf2[\w-]*)\$[./A-Za-z0-9$=,+-]{20,}"),
    _rule("netrc", "machine", r"\bmachine\s+\S+\s+login\s+\S+\s+password\s+(\S{4,})", lambda one: is_password(one) or len(one) >= 8),
    _rule("command-line", "curl wget http", r"\s(?:-u|--user)[ =]['\"]?[\w.@-]{1,40}:([^\s'\"]{6,100})", is_password),
    _rule("atlassian-token", "atatt3 atctt3", r"AT[AC]TT3[A-Za-z0-9_=-]{40,}"),
    _rule("postman-key", "pmak-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    _rule("linear-key", "lin_api_", r"lin_api_[A-Za-z0-9]{32,}"),
    _rule(
        "session-cookie",
        "session",
        r"(?i)\bsession(?:id|_id)?=([A-Za-z0-9%._-]{20,200})",
        lambda one: kinds(one) >= 2 and not is_sequence(one),
    ),
    _rule("assigned", _TELLING_LITERALS, "(?i)" + _ASSIGNED + r"['\"]{1,3}([^'\"\n]{6,200})['\"]", is_password),
    _rule(
        "assigned",
        _TELLING_LITERALS,
        r"(?im)^[ \t#;/*\"'-]*(?:export +|set +)?[\w.-]{0,40}?"
        + _TELLING
        + r"[\w-]{0,40} ?[=:] ?([^\s'\",;(){}\[\]]{6,200})['\"]{0,3}[ \t]*$",
        is_bare_password,
    ),
    _rule(
        "said",
        _SAID_LITERALS,
        r"(?i)\b(?:pass(?:word|wd|phrase|code)|secret|token|(?:api|access|secret) (?:key|code|phrase"
        r"|token)|pin)\s+(?:for [\w@. -]{1,40} )?(?:is|was)\s*(?::\s*)?['\"]?([^\s'\"]{6,200})",
        is_said_password,
    ),
    _rule(
        "hex-key",
        _TELLING_LITERALS + " key salt hmac",
        r"(?i)(?:key|salt|secret|token|hmac|password)\w{0,40}['\"]?[\])]{0,2}\s{0,4}(?::\s{0,4}[\w.\[\]| "
        r"]{1,40}?)?(?:==?|:|,|=>)\s{0,4}[bru]{0,2}['\"]?(?:0x)?([0-9a-f]{32,128})(?![0-9a-z])",
        is_random_hex,
    ),
)
"""Every rule that has a form; high entropy has none (:func:`random_strings`)."""

_LONG = re.compile(r"[A-Za-z0-9]{12}")
_QUOTED_RUN = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,200}={0,2}(?![A-Za-z0-9+/_=-])")


#: Rules by what has to be there, so that rules with the same literals look for these once.
_BY_LITERALS: tuple[tuple[tuple[str, ...], tuple[Rule, ...]], ...] = tuple(
    (literals, tuple(rule for rule in RULES if rule.literals == literals)) for literals in dict.fromkeys(rule.literals for rule in RULES)
)


def find_secrets(text: str) -> Iterator[Hit]:
    """Every secret in ``text`` as it stands; encoded and split ones are found in its other views (:mod:`.views`)."""
    low = text.lower()
    for literals, rules in _BY_LITERALS:
        for literal in literals:
            if literal in low:
                break
        else:
            continue
        for rule in rules:
            group = 1 if rule.form.groups else 0
            for match in rule.form.finditer(text):
                if rule.check is None or rule.check(match[group]):
                    yield rule.name, match.start(group), match.end(group)
    yield from random_strings(text)


def random_strings(text: str) -> Iterator[Hit]:
    """Long runs of the alphabet of base64 that look drawn at random."""
    for match in _QUOTED_RUN.finditer(text):
        value = match[0].rstrip("=")
        # what decodes into text is judged by that text; what has no long run of letters and digits is a path or a name of many words
        if is_random(value) and _LONG.search(value) and not is_readable(decoded_base64(match[0])):
            yield "secret/high-entropy", match.start(), match.end()
