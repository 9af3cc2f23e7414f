"""Opens a model's files, format by format, as TorchScript that can be frozen and tapped."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.errors.base import last_line
from service.errors.transient import is_transient
from service.inputs.model_files import ModelFiles
from service.spec.cohort import Model
from worker.models.checkpoint import load_checkpoint
from worker.models.code_safety import check_code
from worker.models.export_archive import read_program
from worker.models.export_module import ExportedModel
from worker.models.pretrained import load_pretrained
from worker.models.trace import channels_last, get_submodule_names, trace

# An example of the model's inputs -> the model as TorchScript on the example's device.
Make = Callable[[Tensor], torch.jit.ScriptModule]


@dataclass(frozen=True)
class Source:
    """A model whose files have been read, and the function `make` that builds it as TorchScript.

    `sizes` are the required sizes of its input (N, C, H, W), None for any size. `names` maps the path of a submodule in
    the graph to its name in the original model.
    """

    make: Make
    sizes: tuple[int | None, ...] = (None, None, None, None)
    names: Mapping[str, str] = field(default_factory=dict)


def open_source(files: ModelFiles, model: Model) -> Source:
    """Open a model of any format but ONNX. Raises ModelRefused."""
    return SOURCES[files.format](files, model)


def get_architecture(files: ModelFiles, model: Model) -> str | None:
    """Return the architecture of a checkpoint: the spec's, or else the one that the files declare."""
    return model.architecture or files.architecture


def _checkpoint(files: ModelFiles, model: Model) -> Source:
    architecture = get_architecture(files, model)
    if architecture is None:
        raise ModelRefused(
            model_field="architecture",
            reason=f"{files.path} is a checkpoint; set model.architecture, such as torchvision/resnet50",
        )
    return _traced(load_checkpoint(files.path, architecture, model.num_classes))


def _torchscript(files: ModelFiles, _model: Model) -> Source:
    check_code(files.path)
    return Source(lambda example: channels_last(_read_script(files.path, example.device)))


def _exported(files: ModelFiles, _model: Model) -> Source:
    program = read_program(files.path)
    eager = ExportedModel(program, files.path)
    return Source(lambda example: trace(eager, example), tuple(program.input_sizes))


def _transformers(files: ModelFiles, _model: Model) -> Source:
    return _traced(load_pretrained(files.path))


def _traced(eager: nn.Module) -> Source:
    return Source(lambda example: trace(eager, example), names=get_submodule_names(eager))


SOURCES: Mapping[str, Callable[[ModelFiles, Model], Source]] = {
    "checkpoint": _checkpoint,
    "torchscript": _torchscript,
    "exported": _exported,
    "transformers": _transformers,
}


def _read_script(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.load is deprecated, but the only reader of TorchScript archives
        try:
            load: Any = torch.jit.load  # torch has no type for this function
            script: torch.jit.ScriptModule = load(path, map_location=device)
        except (RuntimeError, OSError, ValueError) as error:
            if is_transient(error):
                raise
            raise ModelRefused(reason=f"{path} is a damaged TorchScript archive: {last_line(error)}") from error
    return script
