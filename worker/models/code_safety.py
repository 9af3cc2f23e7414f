"""Checks the code in a TorchScript archive before torch loads it, since loading can already run some of that code.

TorchScript is a subset of Python's syntax, so Python's parser can read it; this module runs none of it. Torch has its
own parser. This module refuses code that the two parsers could read differently.
"""

import ast
import pickle
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from service.errors import ModelRefused
from service.errors.base import last_line
from service.errors.transient import is_transient
from service.inputs.archives import check_compression
from worker.models.script_names import refused_names
from worker.models.script_storages import check_storages
from worker.models.torch_internals import open_archive

# The errors that a damaged archive, its code or its pickles cause.
BROKEN = (
    zipfile.BadZipFile, pickle.UnpicklingError, OSError, RuntimeError, ValueError, SyntaxError, EOFError, LookupError,
    TypeError, AttributeError,
)  # fmt: skip
WITH_STORAGES = ("constants.pkl", "data.pkl")
MAX_CODE_BYTES = 64 * 2**20  # bytes
_UNPRINTED = re.compile(rb"[^\n\x20-\x7e]")
# Code as torch writes it: no comments, no continued lines, and string literals on one line without a prefix.
_PLAIN = re.compile(
    r"""(?:[^"'#\\]++|(?<!\w)(?:""(?!")|''(?!')|"(?:[^"\\\n]|\\[^\n])++"|'(?:[^'\\\n]|\\[^\n])++'))*+"""
)
# Names of the classes that are compiled into torch, some of which open sockets. In a pickle, the name may contain a
# line break.
_FOREIGN_CLASS = re.compile(rb"torch[.\n]classes[.\n][\w.]++")


def check_code(path: Path) -> None:
    """Raise ModelRefused, with the name, if an archive's code names an operator or class outside the allow-list."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_compression(path, archive.infolist())
        reader = open_archive(path)  # torch.jit.load uses the same reader, so it loads the checked code
        for name in _names(path, reader):
            content: bytes = reader.get_record(name)
            if len(content) > MAX_CODE_BYTES:
                raise ModelRefused(
                    reason=f"{path}: {name} has {len(content):,} bytes; code may have {MAX_CODE_BYTES:,} at most"
                )
            if name.endswith(".py"):
                _check_source(path, name, content)
            else:
                _check_classes(path, content)
            if name in WITH_STORAGES:
                check_storages(content, partial(_size, reader, name))
    except BROKEN as error:
        if is_transient(error):
            raise
        raise ModelRefused(reason=f"{path} is a damaged TorchScript archive: {last_line(error)}") from error


def _names(path: Path, reader: Any) -> Iterator[str]:
    """Yield the names of code files and pickles in lower case, since torch ignores case when it looks up a file."""
    names = [name.lower() for name in reader.get_all_records()]
    if len(set(names)) < len(names):
        raise ModelRefused(reason=f"{path} has two files whose names are equal when case is ignored")
    yield from (name for name in names if (name.startswith("code/") and name.endswith(".py")) or name.endswith(".pkl"))


def _size(reader: Any, pickled: str, key: str) -> int:
    """Return the size in bytes of the file that holds the tensor storage `key` of the pickle `pickled`."""
    return len(reader.get_record(f"{pickled.removesuffix('.pkl')}/{key}"))


def _check_classes(path: Path, content: bytes) -> None:
    found = _FOREIGN_CLASS.search(content)
    if found:
        name = found[0].decode("ascii", "replace").replace("\n", ".")
        raise ModelRefused(reason=f"{path} contains an object of {name}, which is not loaded for safety")


def _check_source(path: Path, name: str, source: bytes) -> None:
    unprinted = _UNPRINTED.search(source)
    if unprinted or not _PLAIN.fullmatch(source.decode("ascii")):
        found = (
            f"the byte 0x{unprinted[0].hex()}"
            if unprinted
            else "a comment, a continued line or a string of several lines"
        )
        raise ModelRefused(
            reason=f"{path}: {name} contains {found}, which torch.jit.save does not write; save the model again with "
            "torch.jit.save"
        )
    for refused in refused_names(ast.parse(source.decode("ascii"))):
        raise ModelRefused(
            reason=f"{path} names {refused} in {name}, which is not on the list of allowed operators; it could reach "
            "files, the network, memory or Python"
        )
