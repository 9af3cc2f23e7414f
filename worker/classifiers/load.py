"""From a run's file to a classifier, whatever the format."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.model_files import sniff
from service.spec import Model, Outputs
from worker.classifiers import graph
from worker.classifiers.checkpoint import load_checkpoint
from worker.classifiers.classifier import Classifier, Head, Tapped, find_head_weights

CPU = torch.device("cpu")


def load_classifier(path: Path, model: Model, batch_size: int, device: torch.device = CPU) -> Classifier:
    """Load a file onto a device as its cohort's spec says. Raises ModelRefused, which names the file."""
    channels = 1 if model.preprocessing.channels == "gray" else 3
    example = torch.zeros(batch_size, channels, *model.preprocessing.size, device=device)
    script, weights = _load(path, model, example)
    try:
        frozen = graph.freeze(script)
        layer = graph.choose(graph.feature_layers(frozen, example), model.layer)
        run = _tapped(frozen, layer.name)
        outputs, features = run(example)
    except ModelRefused as error:
        raise ModelRefused(reason=f"{path}: {error}") from error
    except (RuntimeError, TypeError) as error:
        raise ModelRefused(
            reason=f"{path} does not run on inputs of {list(example.shape[1:])}: {_last_line(error)}; "
            "see preprocessing.size and channels"
        ) from error
    head = _head(path, model, outputs, find_head_weights(weights, _width(path, outputs), features.shape[1]))
    return Classifier(run, head, layer, model.preprocessing, batch_size, device)


def _load(path: Path, model: Model, example: Tensor) -> tuple[torch.jit.ScriptModule, dict[str, Tensor]]:
    if sniff(path) == "torchscript":
        script = _read_archive(path, example.device)
        return script, dict(script.state_dict())
    if model.architecture is None:
        raise ModelRefused(reason=f"{path} is a checkpoint; name its model.architecture, such as torchvision/resnet50")
    eager = load_checkpoint(path, model.architecture, model.num_classes).eval().to(example.device)
    return _trace(path, eager, example), dict(eager.state_dict())


def _trace(path: Path, eager: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    with warnings.catch_warnings(), torch.no_grad():
        # Deprecated in favour of torch.export, which has no modules to tap; and of shapes fixed by tracing,
        # which is meant, since batches have one shape.
        warnings.simplefilter("ignore")
        try:
            trace: Any = torch.jit.trace  # torch leaves it untyped
            traced: torch.jit.ScriptModule = trace(eager, example, check_trace=False)
        except RuntimeError as error:
            raise ModelRefused(
                reason=f"{path} does not run on inputs of {list(example.shape[1:])}: {_last_line(error)}"
            ) from error
    return traced


def _read_archive(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still what TorchScript archives are read with
        try:
            load: Any = torch.jit.load  # torch leaves it untyped
            script: torch.jit.ScriptModule = load(path, map_location=device)
        except (RuntimeError, OSError, ValueError) as error:
            raise ModelRefused(reason=f"{path} is a damaged TorchScript archive: {_last_line(error)}") from error
    return script


def _tapped(frozen: torch.jit.ScriptModule, layer: str) -> Tapped:
    function = graph.tap(frozen, layer)

    def run(inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs, features = function(frozen._c, inputs)
        # Models with auxiliary heads give a tuple, their logits first.
        return (outputs[0] if isinstance(outputs, tuple) else outputs), features

    return run


def _width(path: Path, outputs: object) -> int:
    """How many logits an input gets. Raises ModelRefused for outputs that are no logits."""
    if not isinstance(outputs, Tensor) or outputs.ndim not in (1, 2) or not outputs.is_floating_point():
        shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ModelRefused(reason=f"{path} gives {shape}, not one row of logits an input")
    return 1 if outputs.ndim == 1 else int(outputs.shape[1])


def _head(path: Path, model: Model, outputs: Tensor, weights: Tensor | None) -> Head:
    width = _width(path, outputs)
    if model.num_classes is not None and model.num_classes not in (width, max(width, 2)):
        raise ModelRefused(reason=f"{path} has {width} logit(s), and model.num_classes is {model.num_classes}")
    single = (model.outputs or Outputs()).single
    return Head(width, 1 if single == "class-1" else 0, weights)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
