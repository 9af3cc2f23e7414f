"""Removes secrets from text: passwords, keys, tokens, and signatures in URLs.

A URL loses its user information and its whole query, because each object store names its signature differently.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "***"
MAX_TEXT = 2048  # characters; longer texts are cut

# Every pattern runs in linear time: it starts at most once in a run of letters (`(?<!...)`), and possessive
# quantifiers (`++`) prevent backtracking.
_SCHEME = r"(?<![a-z0-9+.-])[0-9+.-]*+{}[a-z][a-z0-9+.-]*+:"
_URL = re.compile(rf"({_SCHEME.format('')}(?://|%2F%2F|\\/\\/))([^\s\"'<>^`{{|}}]++)", re.IGNORECASE)
# `user:password@`, also if the password contains characters that it should escape. A port is not a password.
_USER = re.compile(r"^(?=[^/?#@]*?:(?!\d*+(?:[/?#]|$)))(?:\S*@|(?!\[)\S*)|^[^/?#]*@")
_USER_WITHIN = re.compile(r"//[^/?#]*@")  # user information in a URL within another URL's path
_QUERY = re.compile(r"(?:[?#;]|%3F|%23).*", re.DOTALL | re.IGNORECASE)
_LONG_NAME = (
    r"(?=[\w-]*?(?:passwd|password|pwd|secret|token|signature|credential|api[_-]?key|access[_-]?key|private[_-]?key))"
    r"[\w-]++"
)
_SHORT_NAME = r"(?:awsaccesskeyid|sig|whsec)"
_NAMED = re.compile(
    rf"((?<![\w-]){_LONG_NAME}|\b{_SHORT_NAME})([\"']?\s*+(?:=|:|%3D)\s*+[\"']?)([^\s\"'&,;}})\]]++)", re.IGNORECASE
)
_HEADER = re.compile(r"\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s*+[:=]\s*+)[^\r\n]*", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer)\s++[\w.~+/=-]+", re.IGNORECASE)
# Texts that look like secrets in any place: API keys of this service, keys of clouds, JSON web tokens, PEM blocks.
_SHAPED = re.compile(
    r"\bsalience_[0-9a-f]{8}_[\w-]+"
    r"|(?<![\w-])(?=[\w-]*?\beyJ[\w-]{8})[\w-]++\.[\w-]++\.[\w-]*+"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\b(?:whsec_|hf_|ghp_|sk-)[\w+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# A URL in a sentence. A punctuation mark at the end is not a part of the URL.
_ANY_URL = re.compile(rf"{_SCHEME.format('(?!file:)')}//[^\s\"'<>^`{{|}}]*[^\s\"'<>^`{{|}}.,;:)\]]", re.IGNORECASE)
_SECRET_NAME = re.compile(
    rf"\A(?:{_LONG_NAME}|{_SHORT_NAME}|(?:proxy-)?authorization|(?:set-)?cookie)\Z", re.IGNORECASE
)
_LAST_WORD = re.compile(r"(?<!\S)\S++\Z")


def redact(text: str, limit: int = MAX_TEXT) -> str:
    """Return the text without secrets and without the queries of URLs, cut after `limit` characters."""
    return _redact_within(text, limit, _redact_secrets)


def redact_urls(text: str) -> str:
    """Return the text with the secrets in its URLs hidden. Everything else stays, including the paths of URLs."""
    return _redact_within(text, MAX_TEXT, lambda part: _ANY_URL.sub(lambda found: _redact_secrets(found[0]), part))


def strip_query_values(uri: str) -> str:
    """Return the URI of a file without user information and without the values of its query."""
    address, mark, query = uri.partition("?")
    if uri.startswith("file:") or not (mark or "@" in address or "#" in address):
        return uri
    names = [part.partition("=") for part in query.partition("#")[0].split("&")] if mark else []
    hidden = "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in names)
    return _redact_secrets(address) + (f"?{hidden}" if mark else "")


def strip_query_values_in(value: Any) -> Any:
    """Return a JSON document with `strip_query_values` applied to each `uri` in it."""
    if isinstance(value, Mapping):
        return {
            name: strip_query_values(each) if name == "uri" and isinstance(each, str) else strip_query_values_in(each)
            for name, each in value.items()
        }
    return [strip_query_values_in(each) for each in value] if isinstance(value, list) else value


def redact_value(value: Any, name: str = "") -> Any:
    """Redact a value of a log record recursively. A value under the name of a secret is hidden as a whole."""
    if name and _SECRET_NAME.match(name):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): redact_value(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(each) for each in value]
    return value if isinstance(value, bool | int | float | None) else redact(str(value))


def _redact_secrets(text: str) -> str:
    for pattern, replacement in (
        (_SHAPED, HIDDEN),
        (_HEADER, rf"\1\2{HIDDEN}"),
        (_BEARER, rf"\1 {HIDDEN}"),
        (_URL, _redact_url),
        (_NAMED, rf"\1\2{HIDDEN}"),
    ):
        text = pattern.sub(replacement, text)
    return text


def _redact_within(text: str, limit: int, redact: Callable[[str], str]) -> str:
    """Redact a text, or the first `limit` characters of a longer one.

    The last word of a cut text is dropped unless it was redacted, since the first part of a secret may not look like a
    secret.
    """
    if len(text) <= limit:
        return redact(text)
    start = redact(text[:limit])
    if not start.endswith(HIDDEN):
        start = _LAST_WORD.sub("", start)
    return f"{start}[cut, {len(text):,} characters in all]"


def _redact_url(url: "re.Match[str]") -> str:
    """Return the scheme, host and path of a URL."""
    rest = _USER_WITHIN.sub(f"//{HIDDEN}@", _USER.sub(f"{HIDDEN}@", url[2], count=1))
    return url[1] + _QUERY.sub(f"?{HIDDEN}", rest, count=1)
