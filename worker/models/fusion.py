"""Fuses each convolution of a graph with the activation after it, which oneDNN computes in one pass over memory.

The fused part of a graph has no gradients.
"""

from typing import Any

import torch
from torch import Tensor

from worker.models.torch_internals import optional_numbers

# torch's graph objects have no public types.
Graph = Any
Node = Any

ACTIVATIONS = {
    "aten::relu": "relu", "aten::relu_": "relu", "aten::hardswish": "hardswish", "aten::hardswish_": "hardswish",
    "aten::silu": "swish", "aten::silu_": "swish",
}  # fmt: skip


def can_fuse(device: torch.device) -> bool:
    """Return whether the device has kernels for fused convolutions."""
    has_kernels: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cpu" and has_kernels


def fuse_activations(graph: Graph) -> None:
    """Fuse the convolutions before the tap of a graph, in place. Results stay equal up to rounding."""
    for node in list(graph.nodes()):
        if node.kind() == "aten::requires_grad_":
            break  # this is the tapped node; autograd records everything after it, so no later node is fused
        convolution = _convolution_before(node)
        if convolution is not None:
            _fuse(graph, node, convolution)


def _convolution_before(node: Node) -> Node | None:
    """Return the 2-D convolution whose output only this activation uses, or None."""
    if node.kind() not in ACTIVATIONS:
        return None
    (value,) = node.inputs()
    convolution = value.node()
    if convolution.kind() != "aten::_convolution" or len(value.uses()) != 1:
        return None
    arguments = list(convolution.inputs())
    weight, transposed = arguments[1].toIValue(), arguments[6].toIValue()
    plain = isinstance(weight, Tensor) and weight.ndim == 4 and weight.dtype is torch.float32
    return convolution if plain and transposed is False else None


def _fuse(graph: Graph, activation: Node, convolution: Node) -> None:
    images, weight, bias, stride, padding, dilation, _, _, groups, *_ = convolution.inputs()
    name, none = (graph.insertConstant(value) for value in (ACTIVATIONS[activation.kind()], None))
    for constant in (name, none):
        constant.node().moveBefore(convolution)
    scalars = graph.create("prim::ListConstruct", [], 1).insertBefore(convolution)
    scalars.output().setType(optional_numbers())
    inputs = [images, weight, bias, padding, stride, dilation, groups, name, scalars.output(), none]
    fused = graph.create("mkldnn::_convolution_pointwise", inputs, 1).insertBefore(convolution)
    activation.output().replaceAllUsesWith(fused.output())
    activation.destroy()
    convolution.destroy()
