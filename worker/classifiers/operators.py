"""Which operators a model's own code may call: arithmetic, and nothing that reaches files, other machines or Python."""

NAMESPACES = frozenset({"aten", "prim", "prims", "quantized", "quantized_decomposed"})
REFUSED = frozenset(
    {"from_file", "save", "PythonOp", "IgnoredPythonOp", "rpc_async", "rpc_sync", "rpc_remote", "to_here",
     "get_gradients"}
)  # fmt: skip


def is_allowed(namespace: str, name: str) -> bool:
    """Whether a model may call an operator, such as `aten` and `conv2d`."""
    return namespace in NAMESPACES and name not in REFUSED
