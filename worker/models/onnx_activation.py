"""Finds and removes a sigmoid or softmax at the end of an ONNX model.

The model is read with protobuf, on which onnxruntime depends. Only the needed parts of ONNX's schema are declared here;
protobuf writes all other parts back unchanged. The numbers of the fields are those of onnx.proto.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

ACTIVATIONS: Mapping[str, str] = {"Sigmoid": "sigmoid", "Softmax": "softmax", "LogSoftmax": "log_softmax"}
_UNCHANGING = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_STRING, _MESSAGE = 9, 11
_ONE, _MANY = 1, 3
# The needed messages of onnx.proto. Each field has its number, its label, and the type of a message that it holds.
_SCHEMA: Mapping[str, Mapping[str, tuple[int, int, str | None]]] = {
    "NodeProto": {
        "input": (1, _MANY, None), "output": (2, _MANY, None), "op_type": (4, _ONE, None), "domain": (7, _ONE, None)
    },
    "ValueInfoProto": {"name": (1, _ONE, None)},
    "GraphProto": {"node": (1, _MANY, "NodeProto"), "output": (12, _MANY, "ValueInfoProto")},
    "ModelProto": {"graph": (7, _ONE, "GraphProto")},
}  # fmt: skip


def without_activation(content: bytes) -> tuple[str, bytes] | None:
    """Return the name of the activation that computes a model's first output, and the model without the activation.

    Operations that change only the shape or type of the output may follow the activation. Returns None if the model
    does not end in an activation. `content` must be a valid model.
    """
    model = _model_class().FromString(content)
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(graph.output[0].name)
    while node is not None and node.op_type in _UNCHANGING:
        node = makers.get(node.input[0])
    if node is None or node.op_type not in ACTIVATIONS or node.domain not in ("", "ai.onnx"):
        return None
    before, after = node.input[0], node.output[0]
    for each in graph.node:
        each.input[:] = [before if name == after else name for name in each.input]
    for output in graph.output:
        output.name = before if output.name == after else output.name
    return ACTIVATIONS[node.op_type], model.SerializeToString()


@cache
def _model_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="part_of_onnx.proto", package="part_of_onnx", syntax="proto3")
    for message, fields in _SCHEMA.items():
        added = file.message_type.add(name=message)
        for name, (number, label, held) in fields.items():
            kind, reference = (_MESSAGE, f".part_of_onnx.{held}") if held else (_STRING, None)
            added.field.add(name=name, number=number, label=label, type=kind, type_name=reference)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("part_of_onnx.ModelProto"))
