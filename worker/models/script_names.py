"""Which names of a TorchScript archive's code reach what a model needs, and which reach further.

Every name is either the code's own, one of Python's that are listed, or the beginning of a direct call of a listed
operator. So `ops`, `torch` and `getattr` cannot go by another name, and a name stands for what is read here.
"""

import ast
from collections.abc import Iterator

from worker.models.operators import NAMESPACED, SCRIPTED
from worker.models.torch_internals import is_operator

_PYTHON = """
    Any AnyClassType Await Device Dict Enum Final Future Generator Interface Layout List Module ModuleInterface
    NamedTuple NoneType Optional Scalar ScalarType Stream Tensor Tuple Union __annotations__ abs all annotate any
    awaitable bin bool chr complex dict divmod enumerate float fork getattr hasattr hash hex id inf infj int
    isinstance len list max min nan nanj number oct ord pow print range rangelist reversed round sorted str sum
    tuple unchecked_cast uninitialized zip
"""
PYTHON = frozenset(_PYTHON.split())
RESERVED = frozenset({"CONSTANTS", "__torch__", "getattr", "ops", "torch"})  # what no name of the code's own may be
COMPILED = "classes"  # `__torch__.torch.classes` has those that are compiled into torch, which open stores and sockets
# What TorchScript never writes; it can bind names in ways of its own.
FOREIGN = (
    ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await, ast.Global, ast.Import, ast.ImportFrom, ast.JoinedStr,
    ast.Lambda, ast.Match, ast.NamedExpr, ast.Nonlocal, ast.Try, ast.TryStar, ast.Yield, ast.YieldFrom,
)  # fmt: skip


def refused_names(code: ast.Module) -> Iterator[str]:
    """What the code names that a model may not: operators as `aten::from_file`, other things by their names."""
    direct = {id(part) for node in ast.walk(code) for chain in _direct(node) for part in ast.walk(chain)}
    own = set(_bound(code))
    known = (own | PYTHON) - RESERVED
    yield from sorted(own & RESERVED)
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


def _bound(code: ast.Module) -> Iterator[str]:
    """The names that the code's functions give to what is their own; attributes of classes are none."""
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


def _direct(node: ast.AST) -> Iterator[ast.expr]:
    """Where a piece of code may have a reserved name: in constants, in its own types, and in what it calls."""
    if isinstance(node, ast.Attribute) and _parts(node)[0] in ("CONSTANTS", "__torch__"):
        yield node
    elif isinstance(node, ast.Call) and _may_call(node.func):
        yield node.func


def _may_call(function: ast.expr) -> bool:
    match _parts(function):
        case ["getattr"]:
            return True
        case ["torch", name]:
            return name in SCRIPTED
        case ["ops", namespace, name]:
            return f"{namespace}.{name}" in NAMESPACED
    return False


def _refused_attribute(node: ast.Attribute) -> Iterator[str]:
    parts = _parts(node)
    if parts[0] in ("ops", "torch"):
        yield "::".join(parts[1:] if parts[0] == "ops" else ["aten", *parts[1:]])
    elif _is_other(node.attr):
        yield f"aten::{node.attr}"


def _refused_getattr(node: ast.Call) -> Iterator[str]:
    """Of `getattr(self, "0")`, a name that is no plain text or is an operator that is not listed."""
    name = node.args[1] if len(node.args) == 2 else None
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str) or name.value == COMPILED:
        yield "getattr"
    elif _is_other(name.value):
        yield f"aten::{name.value}"


def _is_other(name: str) -> bool:
    """Whether `x.name` could be an operator that is not listed, should x be a tensor or a list."""
    return name not in SCRIPTED and is_operator(f"aten::{name}")


def _parts(below: ast.expr) -> list[str]:
    """The names of `ops.aten.conv2d`; where it begins with no name, with an empty one."""
    names: list[str] = []
    while isinstance(below, ast.Attribute):
        names.append(below.attr)
        below = below.value
    names.append(below.id if isinstance(below, ast.Name) else "")
    return names[::-1]
