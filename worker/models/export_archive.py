"""Reads torch.export archives (.pt2) without torch's own reader, which unpickles and evaluates their content.

An archive is a zip file of raw weights and JSON, which lists operators and their arguments in torch's schema.
`export_module.py` makes a module of them that only calls allowed operators: no pickle, no generated code.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from service.errors import InputRefused, ModelRefused
from service.errors.transient import is_transient
from service.inputs.archives import check_compression
from service.spec.model import Json
from worker.models.torch_internals import DTYPES
from worker.runtime.batch_size import is_out_of_memory

MODEL = "models/model.json"
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
OLD_MODEL = "serialized_exported_program.json"
OLD_WEIGHTS, OLD_CONSTANTS = "serialized_state_dict.pt", "serialized_constants.pt"


@dataclass(frozen=True)
class Program:
    """An exported program.

    `inputs` maps each input of the graph to the name of its tensor in `tensors`; `image` is the input that takes
    images.
    """

    graph: Json
    inputs: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    image: str

    @property
    def input_sizes(self) -> list[int | None]:
        """The sizes of the input (N, C, H, W); None for a size that can vary."""
        value = self.graph["tensor_values"][self.image]
        return [size.get("as_int") for size in value["sizes"]]


def read_program(path: Path) -> Program:
    """Read the program in an archive. Raises ModelRefused."""
    with _reading(path) as archive:
        members = _members(archive)
        program = _program(archive, members)
        if OLD_MODEL in members:
            tensors = _read_saved(archive, OLD_WEIGHTS, path) | _read_saved(archive, OLD_CONSTANTS, path)
        else:
            tensors = _read_raw(archive, members, WEIGHTS, path) | _read_raw(archive, members, CONSTANTS, path)
        inputs, image = _inputs(program, path)
        for name in _parameters(program):
            tensors[name] = nn.Parameter(tensors[name], requires_grad=False)
        return Program(program["graph_module"]["graph"], inputs, tensors, image)


def read_input_sizes(path: Path) -> list[int | None]:
    """Read the sizes of a program's input (N, C, H, W) without its weights. Raises ModelRefused."""
    with _reading(path) as archive:
        program = _program(archive, _members(archive))
        _, image = _inputs(program, path)
        return Program(program["graph_module"]["graph"], {}, {}, image).input_sizes


@contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive. Errors of a damaged archive that the `with` block raises become ModelRefused."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_compression(path, archive.infolist())
            yield archive
    except InputRefused:
        raise
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if is_out_of_memory(error) or is_transient(error):
            raise
        raise ModelRefused(
            reason=f"{path} is damaged, or not a torch.export archive of a known version ({type(error).__name__}: "
            f"{error}); save it again with torch {torch.__version__}"
        ) from error


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Map each name without the top folder, which newer archives have, to the name in the archive."""
    return {_without_top_folder(name): name for name in archive.namelist()}


def _without_top_folder(name: str) -> str:
    return name if name.startswith("serialized_") else name.partition("/")[2]


def _program(archive: zipfile.ZipFile, members: Mapping[str, str]) -> Json:
    program: Json = json.loads(archive.read(members[OLD_MODEL if OLD_MODEL in members else MODEL]))
    return program


def _inputs(program: Json, path: Path) -> tuple[dict[str, str], str]:
    """Return the tensor of each graph input by the input's name, and the name of the input for images."""
    named, user_inputs = {}, []
    for spec in program["graph_module"]["signature"]["input_specs"]:
        ((kind, value),) = spec.items()
        if kind == "user_input":
            user_inputs.append(value["arg"]["as_tensor"]["name"])
        else:  # parameter, buffer, tensor_constant
            (own,) = (text for key, text in value.items() if key.endswith("_name"))
            named[value["arg"]["name"]] = own
    if len(user_inputs) != 1:
        raise ModelRefused(reason=f"{path} takes {len(user_inputs)} inputs; an image classifier takes one")
    return named, user_inputs[0]


def _parameters(program: Json) -> list[str]:
    """Return the names of the trainable tensors."""
    specs = program["graph_module"]["signature"]["input_specs"]
    return [spec["parameter"]["parameter_name"] for spec in specs if "parameter" in spec]


def _read_raw(archive: zipfile.ZipFile, members: Mapping[str, str], config: str, path: Path) -> dict[str, Tensor]:
    folder, found = config.rpartition("/")[0], {}
    for name, payload in json.loads(archive.read(members[config]))["config"].items():
        if payload["use_pickle"]:
            raise ModelRefused(
                reason=f"{path} stores {name!r} as a pickle, which is not loaded for safety; export plain tensors"
            )
        found[name] = _tensor(archive.read(members[f"{folder}/{payload['path_name']}"]), payload["tensor_meta"])
    return found


def _tensor(content: bytes, meta: Json) -> Tensor:
    dtype = DTYPES[meta["dtype"]]
    if not content:
        return torch.zeros([size["as_int"] for size in meta["sizes"]], dtype=dtype)
    flat = torch.frombuffer(bytearray(content), dtype=dtype)
    sizes, strides = ([each["as_int"] for each in meta[key]] for key in ("sizes", "strides"))
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()


def _read_saved(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Tensor]:
    """Read tensors as archives of torch before 2.8 store them."""
    content = archive.read(name)
    if not content:
        return {}
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes of errors for a damaged file
        raise ModelRefused(
            reason=f"{path} contains more than tensors in {name}, which is not loaded for safety"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise ModelRefused(reason=f"{path} contains no named tensors in {name}")
    return {str(key): value.detach() for key, value in found.items()}
