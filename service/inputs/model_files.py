"""What kind of model a file or folder is, told by its content, without torch."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from service.errors import ModelRefused
from service.inputs.archives import check_compression, is_tar

Format = Literal["checkpoint", "torchscript", "exported", "transformers", "onnx"]

MAX_CONFIG_BYTES = 16 * 2**20  # bytes of a config.json
# Of several models in a folder of MLflow, the one that says most of itself.
PREFERRED_FORMATS: tuple[Format, ...] = ("transformers", "exported", "torchscript", "onnx", "checkpoint")
MAX_DEPTH = 3
KNOWN_FORMATS = (
    "a checkpoint, a TorchScript or torch.export archive, an ONNX model, or a folder of transformers, timm or MLflow"
)


@dataclass(frozen=True)
class ModelFiles:
    """A model as it lies on disk: a file, or for `transformers` a folder.

    `architecture` is what a folder of timm says of its checkpoint, and `config` that folder. `packed` is an
    archive of a folder, of which no more is known until it is unpacked.
    """

    path: Path
    format: Format | Literal["packed"]
    architecture: str | None = None
    config: Path | None = None


def find_model(path: Path) -> ModelFiles:
    """The model at a path. Raises ModelRefused for what is none."""
    if path.is_dir():
        return _find_in_folder(path)
    return ModelFiles(path, detect_format(path))


def detect_format(path: Path) -> Format | Literal["packed"]:
    """The format of a model file: TorchScript and torch.export archives carry code, checkpoints only data.

    Raises ModelRefused for a folder, an empty file or one that is none of them.
    """
    if not path.is_file():
        raise ModelRefused(reason=f"{path} is not a file")
    with path.open("rb") as file:
        head = file.read(512)
    if head[:2] == b"PK":
        return _detect_archive_format(path)
    # A pickle of protocol 2 or later, as torch saved checkpoints before version 1.6; or a length, then JSON.
    if (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or _is_safetensors(head):
        return "checkpoint"
    if _is_onnx(head):
        return "onnx"
    if head[:2] == b"\x1f\x8b" or is_tar(head):
        return "packed"
    raise ModelRefused(reason=f"{path} is none of what is read: {KNOWN_FORMATS}")


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 100_000_000


def _is_onnx(head: bytes) -> bool:
    """A protobuf message whose first field is a small `ir_version`, followed by another field of ModelProto."""
    if len(head) < 3:
        return False
    return head[0] == 8 and 0 < head[1] < 32 and head[2] in b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2"


def _detect_archive_format(path: Path) -> Format | Literal["packed"]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_compression(path, archive.infolist())
            names = archive.namelist()
    # zipfile calls a version that it does not know, as damage makes them, not implemented.
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise ModelRefused(reason=f"{path} is a damaged archive: {error}") from error
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "models/model.json" in inner or "serialized_exported_program.json" in names:
        return "exported"
    if "data.pkl" in inner:
        return "checkpoint"
    if {"config.json", "MLmodel"} & {name.rpartition("/")[2] for name in names}:
        return "packed"
    raise ModelRefused(reason=f"{path} is a zip file, but none of what is read: {KNOWN_FORMATS}")


def _find_in_folder(folder: Path) -> ModelFiles:
    if (folder / "config.json").is_file():
        return _find_pretrained(folder)
    if (folder / "MLmodel").is_file():
        found = sorted(_candidates(folder, MAX_DEPTH), key=lambda each: PREFERRED_FORMATS.index(each.format))
        if found:
            return found[0]
        raise ModelRefused(
            reason=f"{folder} is a model folder of MLflow, but holds none of what is read: {KNOWN_FORMATS}"
        )
    raise ModelRefused(reason=f"{folder} is a folder without config.json or MLmodel; name the model's file")


def _candidates(folder: Path, depth: int) -> Iterator[ModelFiles]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and depth and not (path / "config.json").is_file():
            yield from _candidates(path, depth - 1)
            continue
        try:
            found = find_model(path)
        except ModelRefused:
            continue
        if found.format != "packed":
            yield found


def _find_pretrained(folder: Path) -> ModelFiles:
    config = read_json(folder / "config.json")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelRefused(
            reason=f"{folder} has a config.json, but no .safetensors; save it with save_pretrained, or its "
            "safe_serialization=True"
        )
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        _check_index(index)
    if isinstance(config.get("architecture"), str) and "model_type" not in config:
        return ModelFiles(weights[0], "checkpoint", f"timm/{config['architecture']}", folder)
    if not isinstance(config.get("model_type"), str):
        raise ModelRefused(reason=f"{folder}/config.json names neither a model_type of transformers nor one of timm")
    return ModelFiles(folder, "transformers", config=folder)


def _check_index(index: Path) -> None:
    """Raise ModelRefused where an index of weights, which libraries follow, names more than files beside it."""
    named = read_json(index).get("weight_map")
    for name in named.values() if isinstance(named, dict) else [named]:
        if not isinstance(name, str) or PurePath(name).name != name or not name.endswith(".safetensors"):
            raise ModelRefused(
                reason=f"{index} names the weights {name!r}; it may name .safetensors files beside it, and no others"
            )


def read_json(path: Path) -> dict[str, object]:
    """A JSON object in a file of modest size. Raises ModelRefused."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelRefused(reason=f"{path} is too large for a configuration")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(reason=f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelRefused(reason=f"{path} holds no JSON object")
    return found
