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

# The numbers by which torch.export archives name dtypes, layouts and memory formats. They are written out, since
# torch/_export/serde/schema.py, where they come from, loads torch's compiler, which takes as long as torch itself.
DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 9: torch.complex32, 10: torch.complex64, 11: torch.complex128, 12: torch.bool,
    13: torch.bfloat16, 28: torch.uint16, 29: torch.float8_e4m3fn, 30: torch.float8_e5m2, 31: torch.float8_e4m3fnuz,
    32: torch.float8_e5m2fnuz, 33: torch.float8_e8m0fnu, 34: torch.uint32, 35: torch.uint64,
}  # fmt: skip

LAYOUTS: Mapping[int, torch.layout] = {
    1: torch.sparse_coo, 2: torch.sparse_csr, 3: torch.sparse_csc, 4: torch.sparse_bsr, 5: torch.sparse_bsc,
    6: torch._mkldnn, 7: torch.strided,  # type: ignore[attr-defined]  # torch's own name
}  # fmt: skip

MEMORY_FORMATS: Mapping[int, torch.memory_format] = {
    1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format,
}  # fmt: skip

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
