"""Turns an exported program into a module that torch can trace, with the submodules of the original model.

Each submodule calls its own operators and holds its own weights, so every layer has a name, as in any other model.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.spec.model import Json
from worker.models.export_archive import Program
from worker.models.operators import EXPORTED
from worker.models.torch_internals import DTYPES, LAYOUTS, MEMORY_FORMATS, Operator

Env = dict[str, Any]
ModulePath = tuple[str, ...]
ATTRIBUTE_PREFIX = "own_"  # begins the names of weights, so that none equals a name that every module has
# Operators for arithmetic on sizes.
SIZES = frozenset({"add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow", "eq", "ne", "lt", "le", "gt", "ge"})
# Operators that check sizes. They are not run, since the model passed these checks when it was exported.
CHECKS = frozenset({"sym_constrain_range", "sym_constrain_range_for_size", "_assert_scalar", "_assert_tensor_metadata"})
PLAIN = ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_strings")


@dataclass(frozen=True)
class Step:
    """One call of an operator: its arguments as they are in the archive, and the names of its outputs."""

    call: Callable[..., Any]
    arguments: Sequence[Json]
    outputs: Sequence[str]


@dataclass
class Block:
    """The steps of one call of a submodule, with the blocks of the submodules that it calls."""

    path: ModulePath
    parts: list["Step | Block"] = field(default_factory=list)


class Submodule(nn.Module):
    """A submodule with weights. The caller of `forward` passes the block of steps to run."""

    def forward(self, run: Callable[[Block, Env], None], block: Block, env: Env) -> None:
        """Run the steps of a block. `env` has their inputs by name, and receives their outputs."""
        run(block, env)


class ExportedModel(nn.Module):
    """Computes the program's first output from images. Raises ModelRefused for operators that are not allowed."""

    def __init__(self, program: Program, path: Path) -> None:
        super().__init__()
        self._image = program.image
        self._parts: dict[ModulePath, nn.Module] = {(): self}
        self._weights = {name: self._hold(own, program.tensors[own]) for name, own in program.inputs.items()}
        self._block = Block(())
        for node in program.graph["nodes"]:
            if not _is_check(node):
                _place(self._block, _module_path(node), _step(node, path))
        for module in _paths(self._block):
            self._add(module)
        self._output = _output_names(program.graph["outputs"][0])[0]

    def forward(self, images: Tensor) -> Tensor:
        """Run the program on images (N, C, H, W) of the sizes it was exported for."""
        env: Env = {name: getattr(part, own) for name, (part, own) in self._weights.items()}
        env[self._image] = images
        self._run(self._block, env)
        output: Tensor = env[self._output]
        return output

    def _run(self, block: Block, env: Env) -> None:
        for part in block.parts:
            if isinstance(part, Block):
                self._parts[part.path](self._run, part, env)
                continue
            result = _call(part, env)
            outputs = result if isinstance(result, list | tuple) else [result]
            env.update(zip(part.outputs, outputs, strict=True))

    def _hold(self, name: str, value: Tensor) -> tuple[nn.Module, str]:
        """Store a tensor in the submodule that its name begins with. Tracing is slow if tensors are elsewhere."""
        *path, own = name.split(".")
        self._add(tuple(path))
        part = self._parts[tuple(path)]
        if isinstance(value, nn.Parameter):
            part.register_parameter(ATTRIBUTE_PREFIX + own, value)
        else:
            part.register_buffer(ATTRIBUTE_PREFIX + own, value)
        return part, ATTRIBUTE_PREFIX + own

    def _add(self, path: ModulePath) -> None:
        """Add a submodule at its path, and the submodules above it."""
        for length in range(1, len(path) + 1):
            here = path[:length]
            if here not in self._parts:
                self._parts[here] = Submodule()
                self._parts[here[:-1]].add_module(here[-1], self._parts[here])


def _step(node: Json, path: Path) -> Step:
    outputs = [name for output in node["outputs"] for name in _output_names(output)]
    return Step(_resolve(node["target"], path), node["inputs"], outputs)


def _is_check(node: Json) -> bool:
    return any(f"torch.ops.aten.{name}." in node["target"] for name in CHECKS)


def _resolve(target: str, path: Path) -> Callable[..., Any]:
    """Return the operator with this name. Raises ModelRefused if models may not call it."""
    parts = target.split(".")
    if parts[0] == "_operator" and len(parts) == 2 and parts[1] in SIZES:
        found: Callable[..., Any] = getattr(operator, parts[1])
        return found
    if parts[:2] == ["torch", "ops"] and ".".join(parts[2:]) in EXPORTED:
        packet = getattr(getattr(torch.ops, parts[2]), parts[3], None)
        overload: Callable[..., Any] | None = getattr(packet, parts[4], None)
        if isinstance(overload, Operator):
            return overload
    raise ModelRefused(
        reason=f"{path} calls {target}, which is not on the list of allowed operators; save the program as "
        "torch.export.export returns it, without run_decompositions"
    )


def _call(step: Step, env: Env) -> Any:
    positional, named = [], {}
    for each in step.arguments:
        value = _value(each["arg"], env)
        # Arithmetic on sizes takes positional arguments only, and `self` cannot be passed as a keyword.
        if each["name"] in ("", "self") or not isinstance(step.call, Operator):
            positional.append(value)
        else:
            named[each["name"]] = value
    return step.call(*positional, **named)


def _value(argument: Json, env: Env) -> Any:
    """Return an argument's value, by its kind in torch's schema. Raises ValueError for an unknown kind."""
    ((kind, value),) = argument.items()
    if kind in PLAIN:
        return value
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return env[value["name"]]
    if kind == "as_tensors":
        return [env[each["name"]] for each in value]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return env[value["as_name"]] if "as_name" in value else next(iter(value.values()))
    if kind in ("as_sym_ints", "as_optional_tensors", "as_sym_bools", "as_sym_floats"):
        return [_value({"as_sym_int": each} if "as_name" in each else each, env) for each in value]
    if kind == "as_optional_tensor":
        return _value(value, env)
    if kind == "as_device":  # weights and new tensors are on the device of the images
        return next(each.device for each in env.values() if isinstance(each, Tensor))
    tables: Mapping[str, Mapping[int, Any]] = {
        "as_scalar_type": DTYPES, "as_layout": LAYOUTS, "as_memory_format": MEMORY_FORMATS,
    }  # fmt: skip
    if kind in tables:
        return tables[kind][value]
    raise ValueError(f"unknown kind of argument: {kind}")


def _output_names(output: Json) -> list[str]:
    ((kind, value),) = output.items()
    if kind == "as_tensor":
        return [value["name"]]
    if kind == "as_tensors":
        return [each["name"] for each in value]
    return [value["as_name"]] if isinstance(value, dict) and "as_name" in value else [""]


def _module_path(node: Json) -> ModulePath:
    """Return the path of the submodule that a node came from, such as ("features", "0")."""
    stack = (node.get("metadata") or {}).get("nn_module_stack") or ""
    own = stack.split(";")[-1].split(",")
    return tuple(part for part in own[1].split(".") if part) if len(own) > 1 else ()


def _place(block: Block, path: ModulePath, step: Step) -> None:
    """Append a step to the last block on its path.

    A submodule that the program has left before gets a new block.
    """
    while len(block.path) < len(path):
        here = path[: len(block.path) + 1]
        last = block.parts[-1] if block.parts else None
        if not isinstance(last, Block) or last.path != here:
            last = Block(here)
            block.parts.append(last)
        block = last
    block.parts.append(step)


def _paths(block: Block) -> Iterator[ModulePath]:
    for part in block.parts:
        if isinstance(part, Block):
            yield part.path
            yield from _paths(part)
