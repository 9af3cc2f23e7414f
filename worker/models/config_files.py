"""What a folder of transformers or timm says of its model: how pictures become its input, what its classes are.

Reads JSON only; knows neither library.
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
    """Fields of the spec's preprocessing that a model sets itself, and its classes' names in the logits' order."""

    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] | None = None


def read_metadata_files(folder: Path, given: Collection[str] = ()) -> ModelMetadata:
    """What the JSON files beside a model say. Raises ModelRefused for what cannot be done as they say.

    `given` are the fields that the spec sets itself: it does not matter whether those can.
    """
    try:
        return _read(folder, given)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise ModelRefused(
            reason=f"the configuration in {folder} is not as its library writes it ({type(error).__name__}: {error}); "
            "save the model again, with its JSON files"
        ) from error


def _read(folder: Path, given: Collection[str]) -> ModelMetadata:
    config = read_json(folder / "config.json")
    if "model_type" not in config:
        return _of_timm(config)
    said = folder / "preprocessor_config.json"
    preprocessing = _of_processor(read_json(said), said, given) if said.is_file() else _of_config(config)
    return ModelMetadata(preprocessing, _names(config.get("id2label")))


def _of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    size = config.get("image_size")
    return {"size": (size, size)} if isinstance(size, int) else {}


def _names(labels: object) -> tuple[str, ...] | None:
    """The classes' names; none where they are transformers' placeholders."""
    if not isinstance(labels, dict) or not all(str(key).isdigit() for key in labels):
        return None
    numbered = {int(key): str(name) for key, name in labels.items()}
    if sorted(numbered) != list(range(len(numbered))) or len(set(numbered.values())) < len(numbered):
        return None
    names = tuple(numbered[n] for n in range(len(numbered)))
    return None if all(name == f"LABEL_{n}" for n, name in enumerate(names)) else names


def _of_processor(said: Mapping[str, Any], path: Path, given: Collection[str]) -> dict[str, Any]:
    factor = float(said.get("rescale_factor", 1 / PIXEL)) if said.get("do_rescale", True) else 1.0
    if said.get("do_normalize", True):
        mean, std = said.get("image_mean"), said.get("image_std")
    else:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if said.get("include_top") and said.get("do_normalize", True) and std:  # EfficientNet's, divided by it twice
        std = [each * each for each in std]
    if said.get("rescale_offset") and mean:  # to [-1, 1] before mean and standard deviation
        mean = [each + 1 for each in mean]
    found: dict[str, Any] = {name: tuple(values) for name, values in (("mean", mean), ("std", std)) if values}
    if not {"size", "resize"} <= set(given):
        found |= _sizes(said, path)
    scale = PIXEL * factor
    if abs(scale - 1) > 1e-9:
        found["scale"] = scale
    if "resample" in said and said.get("do_resize", True) and "interpolation" not in given:
        if said["resample"] not in RESAMPLING:
            raise ModelRefused(
                model_field="preprocessing.interpolation",
                reason=f"{path} resizes by a filter ({said['resample']}) that is not offered; give "
                "model.preprocessing.interpolation",
            )
        found["interpolation"] = RESAMPLING[said["resample"]]
    return found


def _sizes(said: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Input size and resizing: straight to a size, or the shorter side and then a centre crop."""
    size, crop = _pair(said.get("size")), _pair(said.get("crop_size"))
    shortest = _shortest(said.get("size"))
    if isinstance(size, tuple) and not (said.get("do_center_crop") and crop and crop != size):
        return {"size": size, "resize": "squash"}
    if shortest and said.get("do_center_crop") and crop:
        return {"size": crop, "resize": {"shorter": shortest}}
    if shortest and "crop_pct" in said and said["crop_pct"]:  # ConvNeXt's own way, ResNet's too
        if shortest >= 384:
            return {"size": (shortest, shortest), "resize": "squash"}
        return {"size": (shortest, shortest), "resize": {"shorter": int(shortest / said["crop_pct"])}}
    if shortest:
        return {"size": (shortest, shortest), "resize": {"shorter": shortest}}
    raise ModelRefused(
        model_field="preprocessing.size",
        reason=f"{path} resizes in a way that is not offered; give model.preprocessing.size and resize",
    )


def _pair(size: object) -> tuple[int, int] | None:
    if isinstance(size, int):
        return (size, size)
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        return (int(size["height"]), int(size["width"]))
    return None


def _shortest(size: object) -> int | None:
    return int(size["shortest_edge"]) if isinstance(size, dict) and "shortest_edge" in size else None


def _of_timm(config: Mapping[str, Any]) -> ModelMetadata:
    said = config.get("pretrained_cfg")
    names = config.get("label_names")
    return ModelMetadata(
        of_timm_cfg(said) if isinstance(said, dict) else {},
        tuple(map(str, names)) if isinstance(names, list) and len(set(names)) == len(names) else None,
    )


def of_timm_cfg(said: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the preprocessing from one of timm's pretrained_cfg."""
    found: dict[str, Any] = {name: tuple(said[name]) for name in ("mean", "std") if said.get(name)}
    if said.get("interpolation") in RESAMPLING.values():
        found["interpolation"] = said["interpolation"]
    if said.get("input_size"):
        found["size"] = tuple(said["input_size"][1:])
        share, mode = said.get("crop_pct") or 1.0, said.get("crop_mode") or "center"
        shorter = int(max(found["size"]) / share)
        found["resize"] = "squash" if mode == "squash" else {"shorter": shorter}
    return found
