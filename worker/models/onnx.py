"""Runs ONNX models with onnxruntime as black boxes: images in, logits out, no feature maps or gradients."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from service.errors import ModelRefused
from service.errors.base import first_line
from worker.models.classifier import Plain

MAX_MODEL_BYTES = 2 * 2**30  # the largest size of a protobuf message
CHANNELS = (1, 3)  # the numbers of channels of grey and of colour images
# The folder in which onnxruntime looks for files that a model names; by default, the working directory.
EXTERNAL_DATA_OPTIONS = ("session.model_external_initializers_file_folder_path", os.devnull)
PROVIDERS = {"cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxModel:
    """An ONNX model. `sizes` are those of its input (N, C, H, W), None for a size that can vary."""

    def __init__(self, path: Path, device: torch.device, content: bytes | None = None) -> None:
        """Open the model in a file. With `content`, open these bytes instead, and use `path` in messages only."""
        self._session = _open(path, device, content)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            message = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise ModelRefused(reason=f"{path} takes {message}; it must take one float32 input (N, C, H, W)")
        self._input, self._output = inputs[0].name, outputs[0].name
        self.sizes = [size if isinstance(size, int) else None for size in inputs[0].shape]
        if self.sizes[3] in CHANNELS and self.sizes[1] not in CHANNELS:
            raise ModelRefused(
                reason=f"{path} takes images with channels last, {inputs[0].shape}; convert it with channels first "
                "(N, C, H, W), with tf2onnx by --inputs-as-nchw"
            )
        self._device = device

    def plain(self) -> Plain:
        """Normalised inputs (N, C, H, W) -> the model's first output, without gradients."""

        def run(inputs: Tensor) -> Tensor:
            values = np.ascontiguousarray(inputs.detach().float().cpu().numpy())
            (outputs,) = self._session.run([self._output], {self._input: values})
            return torch.from_numpy(np.asarray(outputs)).to(self._device)

        return run


def _open(path: Path, device: torch.device, content: bytes | None) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModelRefused(reason="onnxruntime is not installed; install the worker's extra `formats`") from error
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelRefused(reason=f"{path} is larger than 2 GiB")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    options.add_session_config_entry(*EXTERNAL_DATA_OPTIONS)
    try:
        # The model is loaded from bytes, so that it cannot refer to other files.
        wanted = PROVIDERS.get(device.type, ["CPUExecutionProvider"])
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        return onnxruntime.InferenceSession(content or path.read_bytes(), options, providers=providers)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's errors have no other common class
        raise ModelRefused(
            reason=f"{path} is not an ONNX model with its weights inside that onnxruntime can run: {first_line(error)}"
        ) from error
