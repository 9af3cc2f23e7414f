"""What a TorchScript archive's code would do, read before it is compiled: loading an archive can run some of it.

The code is written in a part of Python's syntax, so that Python's parser reads it; nothing of it is run here. Torch
has a parser of its own. Code is refused that the two could read differently.
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
from service.errors.telling import last_line
from service.errors.transient import is_transient
from service.inputs.archives import check_compression
from worker.models.script_names import refused_names
from worker.models.script_storages import check_storages
from worker.models.torch_internals import open_archive

# What reading a damaged archive, its code and its pickles raises.
BROKEN = (
    zipfile.BadZipFile, pickle.UnpicklingError, OSError, RuntimeError, ValueError, SyntaxError, EOFError, LookupError,
    TypeError, AttributeError,
)  # fmt: skip
WITH_STORAGES = ("constants.pkl", "data.pkl")
MAX_CODE_BYTES = 64 * 2**20  # bytes
_UNPRINTED = re.compile(rb"[^\n\x20-\x7e]")
# Code as torch writes it: no comment, no line that goes on in the next, and each text in a line, without a prefix.
_PLAIN = re.compile(
    r"""(?:[^"'#\\]++|(?<!\w)(?:""(?!")|''(?!')|"(?:[^"\\\n]|\\[^\n])++"|'(?:[^'\\\n]|\\[^\n])++'))*+"""
)
# Objects of classes compiled into torch, which open stores and sockets. A pickle may end the line within their names.
_FOREIGN_CLASS = re.compile(rb"torch[.\n]classes[.\n][\w.]++")


def check_code(path: Path) -> None:
    """Raise ModelRefused where an archive's code names what a model has no need of; it says what."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_compression(path, archive.infolist())
        reader = open_archive(path)  # the reader that torch.jit.load uses, so that this checks what is loaded
        for name in _names(path, reader):
            content: bytes = reader.get_record(name)
            if len(content) > MAX_CODE_BYTES:
                raise ModelRefused(reason=f"{path}: {name} has {len(content):,} bytes, too many to be code")
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
    """Code and pickles, in small letters: torch finds a file whatever its case."""
    names = [name.lower() for name in reader.get_all_records()]
    if len(set(names)) < len(names):
        raise ModelRefused(reason=f"{path} has two files of one name, or of one but for capitals")
    yield from (name for name in names if (name.startswith("code/") and name.endswith(".py")) or name.endswith(".pkl"))


def _size(reader: Any, pickled: str, key: str) -> int:
    """How many bytes a storage has that a pickle names."""
    return len(reader.get_record(f"{pickled.removesuffix('.pkl')}/{key}"))


def _check_classes(path: Path, content: bytes) -> None:
    found = _FOREIGN_CLASS.search(content)
    if found:
        name = found[0].decode("ascii", "replace").replace("\n", ".")
        raise ModelRefused(reason=f"{path} holds an object of {name}, which is not read")


def _check_source(path: Path, name: str, source: bytes) -> None:
    unprinted = _UNPRINTED.search(source)
    if unprinted or not _PLAIN.fullmatch(source.decode("ascii")):
        what = f"the byte 0x{unprinted[0].hex()}" if unprinted else "a comment, or a text or line of more than one line"
        raise ModelRefused(
            reason=f"{path}: {name} has {what}, which torch does not write into code; save the model again with "
            "torch.jit.save"
        )
    for refused in refused_names(ast.parse(source.decode("ascii"))):
        raise ModelRefused(
            reason=f"{path} names {refused} in {name}, which could reach files, other machines, memory or Python; such "
            "models are not loaded"
        )
