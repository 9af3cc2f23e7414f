"""Checks the types in two kinds of call in a TorchScript archive's code that are safe for some types only.

`unchecked_cast` trusts the type that the code gives, so a class with more attributes than the object has, or a tuple
of another length, makes torch read past the object. The resizing operators in RESIZED have one overload that takes a
list of scales, and one that takes numbers and reads outside the image; the compiler chooses by the last argument.
"""

import ast
from collections.abc import Iterator

from worker.models.operators import RESIZED

CAST = frozenset({"Device", "Dict", "List", "NoneType", "Optional", "Tensor", "bool", "float", "int", "number", "str"})
Values = dict[str, list[ast.AST]]  # the values that a function assigns to each variable
_LISTS = ("List[float]", "NoneType", "Optional[List[float]]")


def casts_safely(call: ast.Call) -> bool:
    """Return whether a call of `unchecked_cast` names only types that torch checks again when it reads the value."""
    return (
        len(call.args) == 2
        and not call.keywords
        and all(
            node.id in CAST if isinstance(node, ast.Name) else isinstance(node, ast.Subscript | ast.Tuple | ast.Load)
            for node in ast.walk(call.args[0])
        )
    )


def resize_calls(code: ast.Module) -> Iterator[ast.expr]:
    """Yield the called function of each call whose scales are a list or None, such as `_upsample_bilinear2d_aa`."""
    classes = [node for node in code.body if isinstance(node, ast.ClassDef)]
    for function in [*code.body, *(each for own in classes for each in own.body)]:
        if isinstance(function, ast.FunctionDef):
            values = _values(function)
            lists = _list_variables(values)
            calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
            yield from (call.func for call in calls if _passes_list(call, lists, values))


def _passes_list(node: ast.Call, lists: set[str], values: Values) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name), args=[*_, scales], keywords=[]):
            starred = any(isinstance(each, ast.Starred) for each in node.args)
            return len(node.args) == RESIZED.get(name) and not starred and _is_list(scales, lists, values)
    return False


def _list_variables(values: Values) -> set[str]:
    """Return the variables that only ever hold a list or None."""
    lists = set(values)
    while others := {name for name in lists if not all(_is_list(each, lists, values) for each in values[name])}:
        lists -= others
    return lists


def _is_list(value: ast.AST, lists: set[str], values: Values) -> bool:
    match value:
        case ast.Constant(value=None) | ast.List():
            return True
        case ast.Name(id=name):
            return name in lists
        case ast.Call(func=ast.Name(id="annotate" | "unchecked_cast" | "uninitialized" as name), args=[declared, *_]):
            return name not in values and ast.unparse(declared) in _LISTS
    return False


def _values(function: ast.FunctionDef) -> Values:
    """Return the syntax nodes of the values that a function assigns to each variable.

    A variable without such a value, for example of a for loop, gets a node that `_is_list` rejects.
    """
    values: Values = {}
    seen: set[int] = set()
    for node in ast.walk(function):
        for target, value in _assignments(node):
            seen.add(id(target))
            values.setdefault(target.id if isinstance(target, ast.Name) else target.arg, []).append(value)
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in seen:
            values.setdefault(node.id, []).append(node.ctx)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            values.setdefault(node.name, []).append(node)
    return values


def _assignments(node: ast.AST) -> Iterator[tuple[ast.Name | ast.arg, ast.AST]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _pairs(target, value)
        case ast.AnnAssign(target=ast.Name() as target, annotation=declared):
            yield target, _declared(declared)
        case ast.arg(annotation=declared):
            yield node, _declared(declared)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.Name, ast.expr]]:
    match target, value:
        case ast.Name(), _:
            yield target, value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for each, own in zip(targets, values, strict=True):
                yield from _pairs(each, own)


def _declared(declared: ast.expr | None) -> ast.AST:
    """Return a node that `_is_list` accepts if the declared type is a list or None, else a node that it rejects."""
    return ast.List([]) if declared and ast.unparse(declared) in _LISTS else ast.Load()
