"""What a model is: format, architecture, classes, layers, and how pictures become its input."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.catalogue import METHODS
from service.model_files import ModelFiles, find_model, read_json
from service.pretrained_config import OwnSay
from service.settled import fill
from service.spec import Model
from worker.classifiers.classifier import Classifier
from worker.classifiers.load import load_classifier
from worker.classifiers.own_say import own_say
from worker.classifiers.sources import architecture_of
from worker.classifiers.weights import read_weights
from worker.salience.methods import NEEDS_GRADIENTS, NEEDS_LAYER, NEEDS_LINEAR_HEAD

MOST_NAMES = 1000


def describe(path: Path, model: Model, chunk: int) -> dict[str, Any]:
    """Load a model and say what it is. Raises ModelRefused."""
    files, said = find_model(path), own_say(path, model)
    settled = model.model_copy(update={"preprocessing": fill(model.preprocessing, said.preprocessing)})
    told = {
        "format": files.format,
        "architecture": _architecture(files, model),
        "preprocessing": settled.preprocessing.model_dump(mode="json"),
        "said_by_model": sorted(said.preprocessing),
    }
    if files.format == "checkpoint" and architecture_of(files, model) is None:
        return told | _weights(files.path)
    return told | _loaded(load_classifier(path, settled, chunk), said)


def _loaded(found: Classifier, said: OwnSay) -> dict[str, Any]:
    return {
        "classes": found.head.classes,
        "names": list(said.names or ())[:MOST_NAMES] or None,
        "batch": found.chunk,
        "layer": found.layer.name if found.layer else None,
        "layers": {each.name: list(each.shape[1:]) for each in found.layers},
        "methods": [name for name in METHODS if _can(name, found)],
    }


def _can(method: str, found: Classifier) -> bool:
    return not (
        (method in NEEDS_LAYER and found.layer is None)
        or (method in NEEDS_LINEAR_HEAD and found.head.tail is None)
        or (method in NEEDS_GRADIENTS and not found.differentiable)
    )


def _architecture(files: ModelFiles, model: Model) -> str | None:
    if files.format == "transformers" and files.config is not None:
        config: Mapping[str, Any] = read_json(files.config / "config.json")
        return str((config.get("architectures") or [config["model_type"]])[0])
    return architecture_of(files, model) if files.format == "checkpoint" else None


def _weights(path: Path) -> dict[str, Any]:
    """A checkpoint whose architecture nobody named: its weights' names and shapes."""
    weights = read_weights(path)
    shapes = {name: list(value.shape) for name, value in weights.items()}
    first_and_last = [*list(shapes)[:5], *list(shapes)[-5:]]
    return {
        "weights": len(shapes),
        "shapes": {name: shapes[name] for name in first_and_last},
        "needs": "model.architecture, such as torchvision/resnet50 or timm/resnet50",
    }
