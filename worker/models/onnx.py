"""ONNX models, run by onnxruntime: pictures in, logits out, and nothing in between to look at."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from service.errors import ModelRefused
from service.errors.telling import first_line
from worker.models.classifier import Plain

MAX_MODEL_BYTES = 2 * 2**30  # of a protobuf message
CHANNELS = (1, 3)  # of grey pictures and of coloured ones
# Where onnxruntime looks for files that a model names; else, for what is read from bytes, in the working directory.
EXTERNAL_DATA_OPTIONS = ("session.model_external_initializers_file_folder_path", os.devnull)
PROVIDERS = {"cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxModel:
    """An ONNX model. `sizes` are its input's (N, C, H, W), None where they may vary."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._session = _open(path, device)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            message = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise ModelRefused(reason=f"{path} takes {message}; one input of float32 (N, C, H, W) is needed")
        self._input, self._output = inputs[0].name, outputs[0].name
        self.sizes = [size if isinstance(size, int) else None for size in inputs[0].shape]
        if self.sizes[3] in CHANNELS and self.sizes[1] not in CHANNELS:
            raise ModelRefused(
                reason=f"{path} takes pictures whose channels come last, {inputs[0].shape}; convert it with channels "
                "first (N, C, H, W), as tf2onnx does by --inputs-as-nchw"
            )
        self._device = device

    def plain(self) -> Plain:
        """Normalised inputs (N, C, H, W) -> the model's first output, without gradients."""

        def run(inputs: Tensor) -> Tensor:
            values = np.ascontiguousarray(inputs.detach().float().cpu().numpy())
            (found,) = self._session.run([self._output], {self._input: values})
            return torch.from_numpy(np.asarray(found)).to(self._device)

        return run


def _open(path: Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModelRefused(reason="ONNX models need the extra `formats` of the worker") from error
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelRefused(reason=f"{path} is larger than 2 GiB")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    options.add_session_config_entry(*EXTERNAL_DATA_OPTIONS)
    try:
        # From bytes, so that nothing in it can name a file beside it or elsewhere.
        wanted = PROVIDERS.get(device.type, ["CPUExecutionProvider"])
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's errors have no common class but this
        raise ModelRefused(
            reason=f"{path} is not an ONNX model that onnxruntime runs, with its weights inside: {first_line(error)}"
        ) from error
