"""Removes a sigmoid or softmax at the end of a frozen graph, so that the model gives logits.

Logits that are computed back from probabilities would be less exact: if float32 rounds a probability to 1, its logit is
infinite.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from service.spec.cohort import Activation
from worker.models.graph import RESHAPING, Graph, Node, get_kind
from worker.models.torch_internals import compile_graph

# Each function maps (N,) or (N, C) to the same shape. A softmax over a single output is always 1 and never removed.
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "softmax": lambda outputs: outputs.softmax(1),
    "log_softmax": lambda outputs: outputs.log_softmax(1),
}
# The activations to remove, by the value of `model.outputs.activation`. A model that is declared to give probabilities
# does not end in log_softmax, since logarithms are not probabilities.
REMOVED: Mapping[Activation, frozenset[str]] = {
    "auto": frozenset(ACTIVATIONS),
    "probabilities": frozenset({"sigmoid", "softmax"}),
    "logits": frozenset(),
}
_UNCHANGING = RESHAPING | {"to", "clone", "detach", "unsqueeze"}


def remove_activation(frozen: torch.jit.ScriptModule, example: Tensor, declared: Activation) -> str | None:
    """Remove the activation at the end of the graph in place. Returns its name, or None if no activation is removed.

    Call this function before the module runs, since torch compiles the graph at the first run. An activation is removed
    only if applying it to the new outputs gives the old outputs.
    """
    last = _last_activation(frozen.graph)
    if last is None or get_kind(last) not in REMOVED[declared]:
        return None
    edited = frozen.graph.copy()
    _remove(edited)
    with torch.no_grad():
        before, after = (
            _first(compile_graph("outputs", each, frozen)(example)) for each in (frozen.graph.copy(), edited)
        )
    name = get_kind(last)
    if not gives_again(name, after, before):
        return None
    _remove(frozen.graph)
    return name


def _last_activation(graph: Graph) -> Node | None:
    """Return the node of the activation that computes the graph's first output, or None if no activation does.

    Operations that change only the shape or type of the output may follow the activation.
    """
    node = next(graph.outputs()).node()
    if node.kind() == "prim::TupleConstruct":
        node = next(iter(node.inputs())).node()
    while get_kind(node) in _UNCHANGING:
        node = next(iter(node.inputs())).node()
    return node if get_kind(node) in ACTIVATIONS else None


def _remove(graph: Graph) -> None:
    node = _last_activation(graph)
    assert node is not None, "the caller has found an activation"
    node.output().replaceAllUsesWith(next(iter(node.inputs())))
    node.destroy()


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, tuple) else outputs


def gives_again(name: str, logits: Any, outputs: Any) -> bool:
    """Return whether applying an activation to `logits` gives a model's `outputs`; both are (N,) or (N, C)."""
    activation = ACTIVATIONS[name]
    is_row = isinstance(outputs, Tensor) and outputs.ndim in (1, 2) and logits.shape == outputs.shape
    if not is_row or (name != "sigmoid" and (outputs.ndim == 1 or outputs.shape[1] == 1)):
        return False
    return torch.allclose(activation(logits.float()), outputs.float(), rtol=1e-4, atol=1e-5, equal_nan=True)
