"""The private parts of torch that this project uses, and the only module that names them.

A new release of torch may rename or change any of these. `tests/worker/models/test_torch_internals.py` then fails and
says what each one does and what can replace it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

try:
    from torch._export.serde import serialize

    # The numbers that torch.export archives write for dtypes, layouts and memory formats -> torch's own objects.
    DTYPES: Mapping[int, torch.dtype] = serialize._SERIALIZE_TO_TORCH_DTYPE
    LAYOUTS: Mapping[int, torch.layout] = serialize._SERIALIZE_TO_TORCH_LAYOUT
    MEMORY_FORMATS: Mapping[int, torch.memory_format] = serialize._SERIALIZE_TO_TORCH_MEMORY_FORMAT
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"torch {torch.__version__} no longer has the tables of torch.export archives ({error}). Copy them from "
        "torch/_export/serde/schema.py (ScalarType, Layout, MemoryFormat) into worker/models/torch_internals.py."
    ) from error

# An operator with one signature, such as `torch.ops.aten.add.Tensor`.
Operator = torch._ops.OpOverload


def open_archive(path: Path) -> Any:
    """Return the reader of zip archives that torch.jit.load uses, with `get_all_records()` and `get_record(name)`.

    Python's zipfile can read a crafted archive differently from this reader.
    """
    return torch._C.PyTorchFileReader(str(path))


@lru_cache(maxsize=4096)
def is_operator(name: str) -> bool:
    """Return whether TorchScript has an operator of this name, such as `aten::relu`."""
    return bool(torch._C._jit_get_schemas_for_operator(name))


def compile_graph(name: str, graph: Any, module: torch.jit.ScriptModule) -> Callable[[Tensor], Any]:
    """Compile a graph whose first input is the module. Return a function of the graph's second input."""
    function = torch._C._create_function_from_graph(name, graph)
    return lambda inputs: function(module._c, inputs)


def optional_numbers() -> Any:
    """Return TorchScript's type `List[Optional[number]]`."""
    return torch._C.ListType(torch._C.OptionalType(torch._C.NumberType.get()))


def get_module_versions(state_dict: Mapping[str, Tensor]) -> Mapping[str, dict[str, object]]:
    """Return the version of each submodule that torch stores with a state dict; empty where it has none."""
    versions: Mapping[str, dict[str, object]] = getattr(state_dict, "_metadata", {})
    return versions


def set_module_versions(state_dict: Any, versions: Mapping[str, dict[str, object]]) -> None:
    """Store the version of each submodule with a state dict, which must be an OrderedDict."""
    state_dict._metadata = versions


def get_class_version(model: nn.Module) -> int:
    """Return the version of a module's class, by which it converts older state dicts."""
    return model._version
