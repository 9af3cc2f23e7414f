"""Reads and edits frozen TorchScript graphs: finds the output of each submodule, and taps one of them.

Every model but ONNX becomes such a graph, so one implementation gives logits and feature maps for all formats.
Freezing also folds normalisation layers into the convolutions before them.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from functools import cmp_to_key
from typing import Any

import torch
from torch import Tensor

from worker.models.torch_internals import compile_graph

# torch's graph objects have no public types.
Graph = Any
Node = Any
Run = Callable[[Tensor], Any]

# Names that the compiler gives to the module itself and to functions; they are not submodules.
_NO_MODULE = {"", "SELF", "UNKNOWN_INSTANCE"}
# Operations that change only the shape of a tensor; in evaluation mode, a dropout changes nothing.
RESHAPING = frozenset({"flatten", "squeeze", "view", "reshape", "dropout", "contiguous"})
_PLUMBING = {"prim::Constant", "prim::ListConstruct", "prim::GetAttr"}


def freeze(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Return the module in evaluation mode, inlined, with its weights as constants."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    frozen: torch.jit.ScriptModule = torch.jit.freeze(module.eval())
    return frozen


def operations(graph: Graph) -> list[Node]:
    """Return the graph's nodes in order, without constants and lists."""
    return [node for node in graph.nodes() if node.kind() not in _PLUMBING]


def module_ends(graph: Graph) -> Iterator[tuple[str, Node]]:
    """Yield the path of each submodule and the node that computes its output, in the order of completion."""
    last: tuple[tuple[str, ...], Node] | None = None
    for node in operations(graph):
        path = _path(node)
        if last and path[: len(last[0])] != last[0]:
            shared = _shared_length(last[0], path)
            if _gives_tensor(last[1]):
                yield ".".join(last[0][: shared + 1]), last[1]
        last = (path, node)
    if last and last[0] and _gives_tensor(last[1]):
        yield last[0][0], last[1]


def output_shapes(frozen: torch.jit.ScriptModule, example: Tensor) -> dict[str, tuple[int, ...]]:
    """Return the shape of each submodule's output, in the order of completion."""
    graph = frozen.graph.copy()
    ends = list(module_ends(graph))
    if not ends:
        return {}
    for _ in list(graph.outputs()):
        graph.eraseOutput(0)
    for _, node in ends:
        graph.registerOutput(node.output())
    graph.makeMultiOutputIntoTuple()
    with torch.no_grad():
        outputs = compile_graph("shapes", graph, frozen)(example)
    return {name: tuple(out.shape) for (name, _), out in zip(ends, outputs, strict=True)}


def readers(node: Node, through: Container[str]) -> list[Node]:
    """Return the operations that compute tensors from a node's output, in order.

    Operations of the kinds in `through` are skipped; the operations that read their output count instead.
    """
    found: list[Node] = []
    for use in node.output().uses():
        if get_kind(use.user) in through:
            found += readers(use.user, through)
        elif any(output.type().kind() == "TensorType" for output in use.user.outputs()):
            found.append(use.user)
    return sorted(found, key=cmp_to_key(_order))


def get_kind(node: Node) -> str:
    """Return an operation's name; `relu` for both aten::relu and the in-place aten::relu_."""
    return str(node.kind().removeprefix("aten::").removesuffix("_"))


def tap(frozen: torch.jit.ScriptModule, layer: str, change: Callable[[Graph], None] = lambda _: None) -> Run:
    """Return a function of the inputs that gives the model's outputs and the layer's output.

    The layer's output is a leaf of autograd: nothing before it is recorded. The rest of the model reads a copy, since
    an in-place activation would change it. `change` may edit the graph before it is compiled.
    """
    graph: Graph = frozen.graph.copy()
    node = dict(module_ends(graph))[layer]
    feature_map = node.output()
    truth, none = graph.insertConstant(True), graph.insertConstant(None)
    truth.node().moveAfter(node)
    none.node().moveAfter(truth.node())
    detached = _insert(graph, "aten::detach", [feature_map], none.node())
    leaf = _insert(graph, "aten::requires_grad_", [detached.output(), truth], detached)
    copy = _insert(graph, "aten::clone", [leaf.output(), none], leaf)
    feature_map.replaceAllUsesAfterNodeWith(copy, copy.output())
    graph.registerOutput(leaf.output())
    graph.makeMultiOutputIntoTuple()
    change(graph)
    graph.lint()
    return compile_graph("explain", graph, frozen)


def _order(a: Node, b: Node) -> int:
    return -1 if a.isBefore(b) else 1


def _insert(graph: Graph, kind: str, inputs: list[Any], after: Node) -> Node:
    node = graph.create(kind, inputs, 1)
    node.insertAfter(after)
    return node


def _gives_tensor(node: Node) -> bool:
    return bool(node.outputsSize() == 1 and node.output().type().kind() == "TensorType")


def _path(node: Node) -> tuple[str, ...]:
    """Return the path of the submodule that a node came from, such as ("layer4", "1", "conv2")."""
    parts = (part.partition("(")[0] if part.endswith(")") else part for part in node.getModuleHierarchy().split("."))
    return tuple(part for part in parts if part not in _NO_MODULE)


def _shared_length(a: Sequence[str], b: Sequence[str]) -> int:
    length = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        length += 1
    return length
