"""Recognises the format of a model file or folder by its content, without torch."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from service.errors import ModelRefused
from service.inputs.archives import check_compression, is_tar

Format = Literal["checkpoint", "torchscript", "exported", "transformers", "onnx"]

MAX_CONFIG_BYTES = 16 * 2**20  # largest size of a config.json
# If an MLflow folder has several models, the first of these formats is used, since it declares the most metadata.
PREFERRED_FORMATS: tuple[Format, ...] = ("transformers", "exported", "torchscript", "onnx", "checkpoint")
MAX_DEPTH = 3
KNOWN_FORMATS = (
    "a checkpoint, a TorchScript or torch.export archive, an ONNX model, or a folder of transformers, timm or MLflow"
)


@dataclass(frozen=True)
class ModelFiles:
    """A model on disk: a file, or a folder for `transformers`.

    `config` is the folder of the model's configuration, if any; a timm folder also declares the `architecture` of its
    checkpoint. The format `packed` is an archive of a folder; a worker must unpack it to find the model's format.
    """

    path: Path
    format: Format | Literal["packed"]
    architecture: str | None = None
    config: Path | None = None


def find_model(path: Path) -> ModelFiles:
    """Find the model at a path. Raises ModelRefused if there is none."""
    if path.is_dir():
        return _find_in_folder(path)
    return ModelFiles(path, detect_format(path))


def detect_format(path: Path) -> Format | Literal["packed"]:
    """Return the format of a model file: TorchScript and torch.export archives carry code, checkpoints only data.

    Raises ModelRefused for a folder, and for a file of no known format.
    """
    if not path.is_file():
        raise ModelRefused(reason=f"{path} is not a file")
    with path.open("rb") as file:
        head = file.read(512)
    if head[:2] == b"PK":
        return _detect_archive_format(path)
    # torch saved checkpoints as pickles of protocol 2 or later before version 1.6.
    if (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or _is_safetensors(head):
        return "checkpoint"
    if _is_onnx(head):
        return "onnx"
    if head[:2] == b"\x1f\x8b" or is_tar(head):
        return "packed"
    raise ModelRefused(reason=f"{path} has no known model format; give {KNOWN_FORMATS}")


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 100_000_000


def _is_onnx(head: bytes) -> bool:
    """Return whether a file begins as a ModelProto: a small `ir_version`, then another of its fields."""
    if len(head) < 3:
        return False
    return head[0] == 8 and 0 < head[1] < 32 and head[2] in b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2"


def _detect_archive_format(path: Path) -> Format | Literal["packed"]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_compression(path, archive.infolist())
            names = archive.namelist()
    # zipfile raises NotImplementedError for an unknown version, which a damaged file can have.
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
    raise ModelRefused(reason=f"{path} is a zip file of no known model format; give {KNOWN_FORMATS}")


def _find_in_folder(folder: Path) -> ModelFiles:
    if (folder / "config.json").is_file():
        return _find_pretrained(folder)
    if (folder / "MLmodel").is_file():
        found = sorted(_candidates(folder, MAX_DEPTH), key=lambda each: PREFERRED_FORMATS.index(each.format))
        if found:
            return found[0]
        raise ModelRefused(
            reason=f"{folder} is a model folder of MLflow without a model of a known format; save {KNOWN_FORMATS}"
        )
    raise ModelRefused(reason=f"{folder} is a folder without config.json or MLmodel; give the model's file")


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
            reason=f"{folder} has a config.json, but no .safetensors file; save the model with "
            "save_pretrained(safe_serialization=True)"
        )
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        _check_index(index)
    if isinstance(config.get("architecture"), str) and "model_type" not in config:
        return ModelFiles(weights[0], "checkpoint", f"timm/{config['architecture']}", folder)
    if not isinstance(config.get("model_type"), str):
        raise ModelRefused(
            reason=f"{folder}/config.json has neither a model_type of transformers nor an architecture of timm"
        )
    return ModelFiles(folder, "transformers", config=folder)


def _check_index(index: Path) -> None:
    """Raise ModelRefused if an index of weights, which libraries follow, names files outside its folder."""
    files = read_json(index).get("weight_map")
    for name in files.values() if isinstance(files, dict) else [files]:
        if not isinstance(name, str) or PurePath(name).name != name or not name.endswith(".safetensors"):
            raise ModelRefused(
                reason=f"{index} names the weights {name!r}; it may only name .safetensors files in its own folder"
            )


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object from a file of at most MAX_CONFIG_BYTES bytes. Raises ModelRefused."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelRefused(reason=f"{path} has more than {MAX_CONFIG_BYTES:,} bytes, too many for a configuration")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(reason=f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelRefused(reason=f"{path} is not a JSON object")
    return found
