"""Finds the names in a TorchScript archive's code that a model may not use.

An allowed name is one that the code defines itself, a listed name of Python, or the start of a direct call of a listed
operator. The code therefore cannot bind `ops`, `torch` or `getattr` to another name and hide a call.
"""

import ast
from collections.abc import Iterator

from worker.models.operators import NAMESPACED, SCRIPTED
from worker.models.script_types import casts_safely, resize_calls
from worker.models.torch_internals import is_operator

_PYTHON = """
    Any AnyClassType Await Device Dict Enum Final Future Generator Interface Layout List Module ModuleInterface
    NamedTuple NoneType Optional Scalar ScalarType Stream Tensor Tuple Union __annotations__ abs all annotate any
    awaitable bin bool chr complex dict divmod enumerate float fork getattr hasattr hash hex id inf infj int
    isinstance len list max min nan nanj number oct ord pow print range rangelist reversed round sorted str sum
    tuple uninitialized zip
"""
PYTHON = frozenset(_PYTHON.split())
# Names that the code of an archive must not define.
RESERVED = frozenset({"CONSTANTS", "__torch__", "getattr", "ops", "torch", "unchecked_cast"})
COMPILED = "classes"  # `__torch__.torch.classes` has the classes compiled into torch, some of which open sockets
# Syntax that torch never writes into an archive, and that can bind names.
FOREIGN = (
    ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await, ast.Global, ast.Import, ast.ImportFrom, ast.JoinedStr,
    ast.Lambda, ast.Match, ast.NamedExpr, ast.Nonlocal, ast.Try, ast.TryStar, ast.Yield, ast.YieldFrom,
)  # fmt: skip


def refused_names(code: ast.Module) -> Iterator[str]:
    """Yield each forbidden name in the code: operators in the form `aten::from_file`, other names as in the code."""
    direct = {id(part) for node in ast.walk(code) for chain in _direct_uses(node) for part in ast.walk(chain)}
    direct |= {id(part) for function in resize_calls(code) for part in ast.walk(function)}
    defined = set(_defined_names(code))
    known = (defined | PYTHON) - RESERVED
    yield from sorted(defined & RESERVED)
    for node in ast.walk(code):
        if isinstance(node, FOREIGN):
            yield type(node).__name__
        elif isinstance(node, ast.Attribute) and COMPILED in _parts(node):
            yield ".".join(_parts(node))
        elif isinstance(node, ast.Attribute) and id(node) not in direct:
            yield from _refused_attribute(node)
        elif isinstance(node, ast.Name) and _is_read(node) and id(node) not in direct and node.id not in known:
            yield f"prim::{node.id}" if is_operator(f"prim::{node.id}") else node.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            yield from _refused_getattr(node)


def _defined_names(code: ast.Module) -> Iterator[str]:
    """Yield the variables, parameters and functions that the code's functions define."""
    functions = (node for node in ast.walk(code) if isinstance(node, ast.FunctionDef))
    for node in (part for function in functions for part in ast.walk(function)):
        if isinstance(node, ast.Name) and not _is_read(node):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def _is_read(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _direct_uses(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the parts of a node that may contain a reserved name: constants, types and called operators."""
    if isinstance(node, ast.Attribute) and _parts(node)[0] in ("CONSTANTS", "__torch__"):
        yield node
    elif isinstance(node, ast.Call) and _may_call(node):
        yield node.func


def _may_call(call: ast.Call) -> bool:
    match _parts(call.func):
        case ["getattr"]:
            return True
        case ["unchecked_cast"]:
            return casts_safely(call)
        case ["torch", name]:
            return name in SCRIPTED
        case ["ops", namespace, name]:
            return f"{namespace}.{name}" in NAMESPACED
    return False


def _refused_attribute(node: ast.Attribute) -> Iterator[str]:
    parts = _parts(node)
    if parts[0] in ("ops", "torch"):
        yield "::".join(parts[1:] if parts[0] == "ops" else ["aten", *parts[1:]])
    elif _is_unlisted(node.attr):
        yield f"aten::{node.attr}"


def _refused_getattr(node: ast.Call) -> Iterator[str]:
    """Yield the refused name in a call such as `getattr(self, "0")`.

    A name is refused if it is no literal string, or if it is the name of an unlisted operator.
    """
    name = node.args[1] if len(node.args) == 2 else None
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str) or name.value == COMPILED:
        yield "getattr"
    elif _is_unlisted(name.value):
        yield f"aten::{name.value}"


def _is_unlisted(name: str) -> bool:
    """Return whether `x.name` calls an unlisted operator if x is a tensor or a list."""
    return name not in SCRIPTED and is_operator(f"aten::{name}")


def _parts(below: ast.expr) -> list[str]:
    """Split `ops.aten.conv2d` into its names. The first is empty if the expression does not begin with a name."""
    names: list[str] = []
    while isinstance(below, ast.Attribute):
        names.append(below.attr)
        below = below.value
    names.append(below.id if isinstance(below, ast.Name) else "")
    return names[::-1]
