"""torch.export archives (.pt2), read without torch's own reader, which unpickles and evaluates what they hold.

An archive is a zip of JSON (a list of operators with their arguments, torch's own schema) and of raw weights.
Of these a module is made that runs operators of `aten` and nothing else: no pickle, no generated code.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE as DTYPES

from service.archives import check_inflation
from service.domain import Json
from service.errors import ModelRefused

MODEL = "models/model.json"
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
OLD_MODEL = "serialized_exported_program.json"
OLD_WEIGHTS, OLD_CONSTANTS = "serialized_state_dict.pt", "serialized_constants.pt"


@dataclass(frozen=True)
class Program:
    """An exported program: its graph, what each of the graph's inputs is, and its tensors by their own names."""

    graph: Json
    inputs: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    picture: str

    @property
    def input_sizes(self) -> list[int | None]:
        """The sizes of the input (N, C, H, W), None where they may vary."""
        value = self.graph["tensor_values"][self.picture]
        return [size.get("as_int") for size in value["sizes"]]


def read_program(path: Path) -> Program:
    """The program in an archive. Raises ModelRefused."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_inflation(path, archive.infolist())
            members = {_inner(name): name for name in archive.namelist()}
            return _read(archive, members, path)
    except ModelRefused:
        raise
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelRefused(
            reason=f"{path} is not a torch.export archive that can be read ({type(error).__name__}: {error}); save it "
            "again with this torch"
        ) from error


def _inner(name: str) -> str:
    """A member's name without the folder that newer archives are in."""
    return name if name.startswith("serialized_") else name.partition("/")[2]


def _read(archive: zipfile.ZipFile, members: Mapping[str, str], path: Path) -> Program:
    is_old = OLD_MODEL in members
    program = json.loads(archive.read(members[OLD_MODEL if is_old else MODEL]))
    if is_old:
        tensors = _read_saved(archive, OLD_WEIGHTS, path) | _read_saved(archive, OLD_CONSTANTS, path)
    else:
        tensors = {}
        for folder, config in ((WEIGHTS, "model_weights_config.json"), (CONSTANTS, "model_constants_config.json")):
            tensors |= _read_raw(archive, members, folder, config, path)
    graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
    inputs, pictures = _inputs(signature["input_specs"])
    if len(pictures) != 1:
        raise ModelRefused(reason=f"{path} takes {len(pictures)} inputs, and a classifier of images takes one")
    return Program(graph, inputs, tensors, pictures[0])


def _inputs(specs: list[Json]) -> tuple[dict[str, str], list[str]]:
    """The tensors that the graph's inputs stand for, by the inputs' names; and the names of what the user gives."""
    named, given = {}, []
    for spec in specs:
        ((kind, value),) = spec.items()
        if kind == "user_input":
            given.append(value["arg"]["as_tensor"]["name"])
        else:  # parameter, buffer, tensor_constant
            (own,) = (text for key, text in value.items() if key.endswith("_name"))
            named[value["arg"]["name"]] = own
    return named, given


def _read_raw(
    archive: zipfile.ZipFile, members: Mapping[str, str], folder: str, config: str, path: Path
) -> dict[str, Tensor]:
    payloads = json.loads(archive.read(members[folder + config]))["config"]
    found = {}
    for name, payload in payloads.items():
        if payload["use_pickle"]:
            raise ModelRefused(reason=f"{path} holds {name!r} as a pickle, which is not read; export plain tensors")
        found[name] = _tensor(archive.read(members[folder + payload["path_name"]]), payload["tensor_meta"])
    return found


def _tensor(content: bytes, meta: Json) -> Tensor:
    dtype = DTYPES[meta["dtype"]]
    if not content:
        return torch.zeros([size["as_int"] for size in meta["sizes"]], dtype=dtype)
    flat = torch.frombuffer(bytearray(content), dtype=dtype)
    sizes, strides = ([each["as_int"] for each in meta[key]] for key in ("sizes", "strides"))
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()


def _read_saved(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Tensor]:
    """Tensors as archives of before torch 2.8 keep them."""
    content = archive.read(name)
    if not content:
        return {}
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch raise all sorts
        raise ModelRefused(reason=f"{path} holds more than tensors in {name}, which is not read") from error
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise ModelRefused(reason=f"{path} holds no tensors by name in {name}")
    return {str(key): value.detach() for key, value in found.items()}


def batch_size(sizes: list[Any]) -> int | None:
    """The number of pictures that a program is made for, None for any."""
    return sizes[0] if sizes and isinstance(sizes[0], int) else None
