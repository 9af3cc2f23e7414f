"""Every regular expression of the service and the worker runs in linear time, so no text of a user can slow it."""

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
ENOUGH = 0.001  # seconds of CPU, a thousand times the clock's resolution
LONGEST = 1 << 14  # at this length a quadratic search takes over 10 times ENOUGH
MOST_RATIO = 3.0  # time for 2n characters over time for n: about 2 if linear, 4 if quadratic
TRIES = 5  # the smallest ratio counts, because other programs disturb the timing
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
    """Whether doubling the text doubles the time, measured at the first length that takes ENOUGH seconds."""
    length = 256
    while seconds(use, make(length)) < ENOUGH:
        length *= 4
        if length > LONGEST:
            return True
    once, twice = make(length), make(2 * length)
    return any(seconds(use, twice) <= MOST_RATIO * seconds(use, once) for _ in range(TRIES))


def hostile(words: list[str], encode: bool) -> Iterator[Callable[[int], Any]]:
    """Yield functions from a length to a text: a beginning, one word repeated, and a character that nothing matches."""
    for unit in [*RUNS, *words, *(f"{word}{sign}" for word in words for sign in "-= ")]:
        for begin in BEGINNINGS:
            yield partial(run_of, unit, begin, encode)


def run_of(unit: str, begin: str, encode: bool, length: int) -> str | bytes:
    text = begin + unit * (length // len(unit)) + "\0"
    return text.encode() if encode else text


def super_linear(uses: list[Use], words: list[str], encode: bool = False) -> list[Any]:
    """Return the texts on which a function takes more than linear time, shortened to 40 characters."""
    return [make(40) for make in hostile(words, encode) for use in uses if not is_linear(use, make)]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_runs_in_linear_time(name: str) -> None:
    pattern = PATTERNS[name]
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
    words = [*dict.fromkeys(re.findall("[A-Za-z]{3,}|[^A-Za-z0-9]", source))]
    put = pattern.pattern[:0]
    assert super_linear([pattern.fullmatch, lambda text: pattern.sub(put, text)], words, isinstance(put, bytes)) == []


@pytest.mark.parametrize("use", [redact, redact_urls, strip_query_values, lambda text: redact(text, 10**9)])
def test_redaction_runs_in_linear_time(use: Use) -> None:
    assert super_linear([use], ["token", "password=", "Authorization: ", "?a=", "https://u:p@h/"]) == []


def uses_of_settings(tmp_path: Path) -> list[Use]:
    """The functions that build patterns from settings."""
    artifacts, cache = ArtifactStore(str(tmp_path / "artifacts")), FileCache(tmp_path / "cache")
    source = "https://h/" + "a" * 4000  # a spec limits a URI to 4,096 characters
    return [artifacts.with_uris, lambda text: cache.with_source(text, source)]


def test_replacing_the_paths_of_stored_files_runs_in_linear_time(tmp_path: Path) -> None:
    folders = [f"{tmp_path}/artifacts/", f"{tmp_path}/cache/objects/", f"{tmp_path}/cache/objects/{'0' * 64}/", "/ab/"]
    assert super_linear(uses_of_settings(tmp_path), folders) == []


def test_every_pattern_is_timed_in_this_file() -> None:
    """Patterns are constants of their modules, except in two modules, whose functions are timed above."""
    found = {
        f"{package.__name__}/{path.relative_to(package.__path__[0])}"
        for package in (service, worker)
        for path in Path(package.__path__[0]).rglob("*.py")
        if compiles_other_patterns(ast.parse(path.read_text()))
    }
    assert found == {"service/artifacts/store.py", "worker/inputs/cache.py"}


def compiles_other_patterns(module: ast.Module) -> bool:
    """Whether a module uses `re` for anything but `NAME = re.compile(...)`, escapes, flags and types."""
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
