"""Keeps secrets out of what is written for people: passwords, keys, tokens and signatures in URLs. Knows only text.

Of a URL, who asks and what is asked after `?` go, whatever they are: every store signs in its own words.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "***"
MOST = 2048  # characters of a text; what is longer is cut, however long users make it

# Every pattern takes time in proportion to the text: it starts once in a run of letters (`(?<!...)`) and gives back
# nothing of what it took of one (`++`).
_SCHEME = r"(?<![a-z0-9+.-])[0-9+.-]*+{}[a-z][a-z0-9+.-]*+:"
_URL = re.compile(rf"({_SCHEME.format('')}(?://|%2F%2F|\\/\\/))([^\s\"'<>^`{{|}}]++)", re.IGNORECASE)
# `user:password@`, also where the password holds what it must not; a port is no password.
_USER = re.compile(r"^(?=[^/?#@]*?:(?!\d*+(?:[/?#]|$)))(?:\S*@|(?!\[)\S*)|^[^/?#]*@")
_USER_WITHIN = re.compile(r"//[^/?#]*@")  # of a URL in the path of another
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
# What looks like a secret wherever it stands: keys of ours, of clouds and hubs, JSON web tokens, PEM blocks.
_SHAPED = re.compile(
    r"\bsalience_[0-9a-f]{8}_[\w-]+"
    r"|(?<![\w-])(?=[\w-]*?\beyJ[\w-]{8})[\w-]++\.[\w-]++\.[\w-]*+"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\b(?:whsec_|hf_|ghp_|sk-)[\w+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# In a sentence: what may end it is no part of the URL.
_ANY_URL = re.compile(rf"{_SCHEME.format('(?!file:)')}//[^\s\"'<>^`{{|}}]*[^\s\"'<>^`{{|}}.,;:)\]]", re.IGNORECASE)
_SECRET_NAME = re.compile(
    rf"\A(?:{_LONG_NAME}|{_SHORT_NAME}|(?:proxy-)?authorization|(?:set-)?cookie)\Z", re.IGNORECASE
)
_LAST_WORD = re.compile(r"(?<!\S)\S++\Z")


def redact(text: str, most: int = MOST) -> str:
    """The text without what nobody may read in it, cut after so many characters; no URL keeps its query."""
    return _within(text, most, _redacted)


def redact_urls(text: str) -> str:
    """The text with what is secret in its URLs hidden, and all else as it is; paths are no secrets."""
    return _within(text, MOST, lambda part: _ANY_URL.sub(lambda found: _redacted(found[0]), part))


def strip_query_values(uri: str) -> str:
    """A URI to know a file by: of who asks nothing is left, and of what is asked after `?` the names alone."""
    place, mark, query = uri.partition("?")
    if uri.startswith("file:") or not (mark or "@" in place or "#" in place):
        return uri
    names = [part.partition("=") for part in query.partition("#")[0].split("&")] if mark else []
    hidden = "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in names)
    return _redacted(place) + (f"?{hidden}" if mark else "")


def strip_query_values_in(value: Any) -> Any:
    """A document of a spec with each `uri` in it as `strip_query_values` has it."""
    if isinstance(value, Mapping):
        return {
            name: strip_query_values(each) if name == "uri" and isinstance(each, str) else strip_query_values_in(each)
            for name, each in value.items()
        }
    return [strip_query_values_in(each) for each in value] if isinstance(value, list) else value


def redact_value(value: Any, name: str = "") -> Any:
    """A value of a record, and all in it; what is kept under a secret's name goes whole."""
    if name and _SECRET_NAME.match(name):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): redact_value(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(each) for each in value]
    return value if isinstance(value, bool | int | float | None) else redact(str(value))


def _redacted(text: str) -> str:
    for pattern, put in (
        (_SHAPED, HIDDEN),
        (_HEADER, rf"\1\2{HIDDEN}"),
        (_BEARER, rf"\1 {HIDDEN}"),
        (_URL, _open),
        (_NAMED, rf"\1\2{HIDDEN}"),
    ):
        text = pattern.sub(put, text)
    return text


def _within(text: str, most: int, redact: Callable[[str], str]) -> str:
    """The text redacted; of a longer one the beginning, without the word that was cut unless its end is hidden.

    A part of a secret may not look like one.
    """
    if len(text) <= most:
        return redact(text)
    begun = redact(text[:most])
    if not begun.endswith(HIDDEN):
        begun = _LAST_WORD.sub("", begun)
    return f"{begun}[cut, {len(text):,} characters in all]"


def _open(url: "re.Match[str]") -> str:
    """A URL's scheme, host and path."""
    rest = _USER_WITHIN.sub(f"//{HIDDEN}@", _USER.sub(f"{HIDDEN}@", url[2], count=1))
    return url[1] + _QUERY.sub(f"?{HIDDEN}", rest, count=1)
