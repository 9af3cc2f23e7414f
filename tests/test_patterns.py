"""Checks that every regular expression of the project runs in linear time, so that no input can make one slow."""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import service
import worker
from service.artifacts.store import ArtifactStore
from service.telemetry.redaction import redact, redact_urls, strip_query_values
from worker.inputs.cache import FileCache

Use = Callable[[Any], object]
ENOUGH = 0.001  # in seconds of CPU time; a thousand times the resolution of the clock
LONGEST = 1 << 14  # in characters; a quadratic search of such a text takes more than 10 times ENOUGH
MOST_RATIO = 3.0  # the time for 2n characters divided by that for n is about 2 if linear, 4 if quadratic
TRIES = 5  # the smallest ratio counts, because other programs slow some tries
RUNS = ["a", "1", "a.", "a-", "1a+", "a:a", ":1", "@:", "a=", "a: ", "a://", "token-", "eyJabcdefgh.", "eyJ-", "%2F",
        "cookie ", "bearer ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "PRIVATE KEY", "%3D", "\n\t "]  # fmt: skip
BEGINNINGS = ["", "https://", "token="]


def modules() -> Iterator[ModuleType]:
    for package in (service, worker):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def patterns() -> dict[str, "re.Pattern[Any]"]:
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }


PATTERNS = patterns()


def seconds(use: Use, text: Any) -> float:
    begun = time.process_time()
    use(text)
    return time.process_time() - begun


def is_linear(use: Use, make: Callable[[int], Any]) -> bool:
    """Return whether a text of twice the length takes about twice the time, from the first length that takes ENOUGH."""
    length = 256
    while seconds(use, make(length)) < ENOUGH:
        length *= 4
        if length > LONGEST:
            return True
    once, twice = make(length), make(2 * length)
    return any(seconds(use, twice) <= MOST_RATIO * seconds(use, once) for _ in range(TRIES))


def hostile(words: list[str], encode: bool) -> Iterator[Callable[[int], Any]]:
    """Yield functions that make a text of a given length: a beginning, a repeated word, and a zero byte at the end."""
    for unit in [*RUNS, *words, *(f"{word}{sign}" for word in words for sign in "-= ")]:
        for begin in BEGINNINGS:
            yield partial(run_of, unit, begin, encode)


def run_of(unit: str, begin: str, encode: bool, length: int) -> str | bytes:
    text = begin + unit * (length // len(unit)) + "\0"
    return text.encode() if encode else text


def super_linear(uses: list[Use], words: list[str], encode: bool = False) -> list[Any]:
    """Return the texts, cut to 40 characters, for which one of the functions takes more than linear time."""
    return [make(40) for make in hostile(words, encode) for use in uses if not is_linear(use, make)]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_regular_expression_runs_in_linear_time(name: str) -> None:
    pattern = PATTERNS[name]
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
    words = [*dict.fromkeys(re.findall("[A-Za-z]{3,}|[^A-Za-z0-9]", source))]
    put = pattern.pattern[:0]
    assert super_linear([pattern.fullmatch, lambda text: pattern.sub(put, text)], words, isinstance(put, bytes)) == []


@pytest.mark.parametrize("use", [redact, redact_urls, strip_query_values, lambda text: redact(text, 10**9)])
def test_redaction_runs_in_linear_time(use: Use) -> None:
    assert super_linear([use], ["token", "password=", "Authorization: ", "?a=", "https://u:p@h/"]) == []


def uses_of_settings(tmp_path: Path) -> list[Use]:
    """Return the functions whose regular expressions contain paths from the settings."""
    artifacts, cache = ArtifactStore(str(tmp_path / "artifacts")), FileCache(tmp_path / "cache")
    source = "https://h/" + "a" * 4000  # a spec limits a URI to 4,096 characters
    return [artifacts.with_uris, lambda text: cache.with_source(text, source)]


def test_replacing_the_paths_of_stored_files_runs_in_linear_time(tmp_path: Path) -> None:
    folders = [f"{tmp_path}/artifacts/", f"{tmp_path}/cache/objects/", f"{tmp_path}/cache/objects/{'0' * 64}/", "/ab/"]
    assert super_linear(uses_of_settings(tmp_path), folders) == []


def test_this_file_measures_every_regular_expression() -> None:
    """All patterns are constants of modules, except those of two modules, for which this file has another test."""
    found = {
        f"{package.__name__}/{path.relative_to(package.__path__[0])}"
        for package in (service, worker)
        for path in Path(package.__path__[0]).rglob("*.py")
        if compiles_other_patterns(ast.parse(path.read_text()))
    }
    assert found == {"service/artifacts/store.py", "worker/inputs/cache.py"}


def compiles_other_patterns(module: ast.Module) -> bool:
    """Return whether a module uses `re` for more than `NAME = re.compile(...)`, escapes, flags and types."""
    constants = [
        each.value.func for each in module.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call)
    ]
    uses = [
        node.attr for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
        and node not in constants
    ]  # fmt: skip
    imported = any(isinstance(node, ast.ImportFrom) and node.module == "re" for node in ast.walk(module))
    return imported or any(use.islower() and use != "escape" for use in uses)
