"""Saves small ONNX models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

SIDE = 16


WEIGHTS = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)


def save(path: Path, batch: int | str = "batch", sizes: Sequence[int | str] = (3, SIDE, SIDE)) -> Path:
    """Save a model of global average pooling and a linear layer for inputs (batch, *sizes). Returns the path."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    return save_net(path, nodes, numpy_helper.from_array(WEIGHTS, "weights"), [[batch, *sizes], [batch, 2]])


def save_net(
    path: Path, nodes: Sequence[NodeProto], weights: TensorProto, shapes: Sequence[Sequence[int | str]]
) -> Path:
    """Save a network of these nodes; `shapes` are those of the input `images` and of the output `logits`."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, shapes[0])
    given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shapes[1])
    graph = helper.make_graph(nodes, "net", [images], [given], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
