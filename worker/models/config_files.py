"""Reads the preprocessing and class names of a model from the JSON files that transformers and timm save.

Needs neither library.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.errors import ModelRefused
from service.inputs.model_files import read_json

RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
PIXEL = 255.0


@dataclass(frozen=True)
class ModelMetadata:
    """Values that a model's files declare: fields of the spec's preprocessing, and class names in the logits' order."""

    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] | None = None


def read_metadata_files(folder: Path, given: Collection[str] = ()) -> ModelMetadata:
    """Read the JSON files beside a model. Raises ModelRefused if they declare preprocessing that is not supported.

    `given` are the fields that the spec sets itself; what the files declare for those is not checked.
    """
    try:
        return _read(folder, given)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise ModelRefused(
            reason=f"the JSON files in {folder} are not as transformers or timm writes them ({type(error).__name__}: "
            f"{error}); save the model and its configuration again"
        ) from error


def _read(folder: Path, given: Collection[str]) -> ModelMetadata:
    config = read_json(folder / "config.json")
    if "model_type" not in config:
        return _from_timm(config)
    path = folder / "preprocessor_config.json"
    preprocessing = _from_processor(read_json(path), path, given) if path.is_file() else _from_config(config)
    return ModelMetadata(preprocessing, _class_names(config.get("id2label")))


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    size = config.get("image_size")
    return {"size": (size, size)} if isinstance(size, int) else {}


def _class_names(labels: object) -> tuple[str, ...] | None:
    """Return the class names, or None if they are incomplete, repeated or placeholders of transformers."""
    if not isinstance(labels, dict) or not all(str(key).isdigit() for key in labels):
        return None
    numbered = {int(key): str(name) for key, name in labels.items()}
    if sorted(numbered) != list(range(len(numbered))) or len(set(numbered.values())) < len(numbered):
        return None
    names = tuple(numbered[n] for n in range(len(numbered)))
    return None if all(name == f"LABEL_{n}" for n, name in enumerate(names)) else names


def _from_processor(config: Mapping[str, Any], path: Path, given: Collection[str]) -> dict[str, Any]:
    factor = float(config.get("rescale_factor", 1 / PIXEL)) if config.get("do_rescale", True) else 1.0
    if config.get("do_normalize", True):
        mean, std = config.get("image_mean"), config.get("image_std")
    else:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    # EfficientNet divides by the standard deviation twice.
    if config.get("include_top") and config.get("do_normalize", True) and std:
        std = [each * each for each in std]
    if config.get("rescale_offset") and mean:  # values are shifted to [-1, 1] before the mean is subtracted
        mean = [each + 1 for each in mean]
    found: dict[str, Any] = {name: tuple(values) for name, values in (("mean", mean), ("std", std)) if values}
    if not {"size", "resize"} <= set(given):
        found |= _sizes(config, path)
    scale = PIXEL * factor
    if abs(scale - 1) > 1e-9:
        found["scale"] = scale
    if "resample" in config and config.get("do_resize", True) and "interpolation" not in given:
        if config["resample"] not in RESAMPLING:
            raise ModelRefused(
                model_field="preprocessing.interpolation",
                reason=f"{path} resizes with filter {config['resample']}, which is not supported; set "
                "model.preprocessing.interpolation",
            )
        found["interpolation"] = RESAMPLING[config["resample"]]
    return found


def _sizes(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the input size and how to resize: directly to that size, or the shorter side and then a centre crop."""
    size, crop = _pair(config.get("size")), _pair(config.get("crop_size"))
    shortest = _shortest(config.get("size"))
    if isinstance(size, tuple) and not (config.get("do_center_crop") and crop and crop != size):
        return {"size": size, "resize": "squash"}
    if shortest and config.get("do_center_crop") and crop:
        return {"size": crop, "resize": {"shorter": shortest}}
    if shortest and "crop_pct" in config and config["crop_pct"]:  # transformers resizes like this for ConvNeXt
        if shortest >= 384:
            return {"size": (shortest, shortest), "resize": "squash"}
        return {"size": (shortest, shortest), "resize": {"shorter": int(shortest / config["crop_pct"])}}
    if shortest:
        return {"size": (shortest, shortest), "resize": {"shorter": shortest}}
    raise ModelRefused(
        model_field="preprocessing.size",
        reason=f"{path} resizes in a way that is not supported; set model.preprocessing.size and resize",
    )


def _pair(size: object) -> tuple[int, int] | None:
    if isinstance(size, int):
        return (size, size)
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        return (int(size["height"]), int(size["width"]))
    return None


def _shortest(size: object) -> int | None:
    return int(size["shortest_edge"]) if isinstance(size, dict) and "shortest_edge" in size else None


def _from_timm(config: Mapping[str, Any]) -> ModelMetadata:
    pretrained = config.get("pretrained_cfg")
    names = config.get("label_names")
    return ModelMetadata(
        from_timm_config(pretrained) if isinstance(pretrained, dict) else {},
        tuple(map(str, names)) if isinstance(names, list) and len(set(names)) == len(names) else None,
    )


def from_timm_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a `pretrained_cfg` of timm to fields of the spec's preprocessing."""
    found: dict[str, Any] = {name: tuple(config[name]) for name in ("mean", "std") if config.get(name)}
    if config.get("interpolation") in RESAMPLING.values():
        found["interpolation"] = config["interpolation"]
    if config.get("input_size"):
        found["size"] = tuple(config["input_size"][1:])
        share, mode = config.get("crop_pct") or 1.0, config.get("crop_mode") or "center"
        shorter = int(max(found["size"]) / share)
        found["resize"] = "squash" if mode == "squash" else {"shorter": shorter}
    return found
