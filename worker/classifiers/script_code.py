"""What a TorchScript archive's code would do, read before it is compiled: loading an archive can run some of it.

The code is written in a part of Python's syntax, so that Python's parser reads it; nothing of it is run here.
"""

import ast
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from service.archives import check_inflation
from service.errors import ModelRefused
from service.transient import is_transient
from worker.classifiers.operators import REFUSED, is_allowed
from worker.classifiers.telling import last_line

MOST_CODE = 64 * 2**20  # bytes
# Objects of compiled classes, as quantised layers have them; others open stores and sockets.
_FOREIGN_CLASS = re.compile(rb"torch\.classes\.(?!quantized\.)[\w.]+")


def check_code(path: Path) -> None:
    """Raise ModelRefused where an archive's code calls what a model has no need of; it names the operator."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_inflation(path, archive.infolist())
        for name, content in _members(path):
            if name.endswith(".py"):
                _check_source(path, content)
            else:
                _check_classes(path, content)
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, SyntaxError, RecursionError) as error:
        if is_transient(error):
            raise
        raise ModelRefused(reason=f"{path} is a damaged TorchScript archive: {last_line(error)}") from error


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Code and pickles, read by torch's own reader, so that what is checked is what will be loaded."""
    reader: Any = torch._C.PyTorchFileReader(str(path))
    for name in reader.get_all_records():
        if (name.startswith("code/") and name.endswith(".py")) or name.endswith(".pkl"):
            content: bytes = reader.get_record(name)
            if len(content) > MOST_CODE:
                raise ModelRefused(reason=f"{path}: {name} has {len(content):,} bytes, too many to be code")
            yield name, content


def _check_classes(path: Path, content: bytes) -> None:
    found = _FOREIGN_CLASS.search(content)
    if found:
        raise ModelRefused(reason=f"{path} holds an object of {found[0].decode()}, which is not read")


def _check_source(path: Path, source: bytes) -> None:
    _check_classes(path, source)
    for node in ast.walk(ast.parse(source)):
        for operator in _called(node):
            raise ModelRefused(
                reason=f"{path} calls {operator}, which could reach files, other machines or Python; such models are "
                "not loaded"
            )


def _called(node: ast.AST) -> Iterator[str]:
    """The operator that a piece of code names, where a model may not call it."""
    if isinstance(node, ast.Attribute):
        chain = _chain(node)
        if node.attr in REFUSED or (chain[0] == "ops" and len(chain) == 3 and not is_allowed(chain[1], chain[2])):
            yield "::".join(chain[1:] if chain[0] == "ops" else ["aten", node.attr])
    elif isinstance(node, ast.Name) and node.id in REFUSED:
        yield f"prim::{node.id}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        yield from (f"aten::{arg.value}" for arg in node.args if isinstance(arg, ast.Constant) and arg.value in REFUSED)


def _chain(node: ast.Attribute) -> list[str]:
    """The names of `ops.aten.conv2d`; where it begins with no name, with an empty one."""
    names, below = [node.attr], node.value
    while isinstance(below, ast.Attribute):
        names.append(below.attr)
        below = below.value
    names.append(below.id if isinstance(below, ast.Name) else "")
    return names[::-1]
