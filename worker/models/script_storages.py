"""Checks that each storage of a TorchScript archive has as many bytes as its pickle declares.

`torch.jit.load` reads a storage's length from the pickle and its bytes from another file of the archive without
comparing them, so a tensor could expose other memory of the process. `torch.load` does compare them.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

# Bytes of one element, by the type of storage.
ELEMENT_BYTES = {
    "BFloat16Storage": 2, "BoolStorage": 1, "ByteStorage": 1, "CharStorage": 1, "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8, "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "IntStorage": 4,
    "LongStorage": 8, "ShortStorage": 2,
}  # fmt: skip


def check_storages(content: bytes, size_of: Callable[[str], int]) -> None:
    """Raise ValueError if a pickle declares a storage longer than its file.

    `size_of` returns the size in bytes of a storage's file, by the file's name.
    """
    StorageChecker(content, size_of).load()


class Inert:
    """Replaces every object that a pickle creates, and discards what the pickle puts into it."""

    def __setitem__(self, _key: Any, _value: Any) -> None: ...

    def append(self, _value: Any) -> None:
        """Do nothing."""

    def extend(self, _values: Any) -> None:
        """Do nothing."""


class StorageChecker(pickle._Unpickler):
    """Reads the storages in a pickle without creating any object that the pickle names.

    It extends the pure-Python unpickler, since the C one rejects the form in which torch writes calls.
    """

    stack: list[Any]

    def __init__(self, content: bytes, size_of: Callable[[str], int]) -> None:
        super().__init__(io.BytesIO(content))
        self._size_of = size_of

    def find_class(self, module: str, name: str) -> Any:
        """Return the name of a storage type, and a placeholder for anything else."""
        return name if module == "torch" and name in ELEMENT_BYTES else Inert()

    def persistent_load(self, pid: Any) -> Inert:
        """Compare the declared size of a storage with its file."""
        _, kind, key, _, count = pid
        declared, size = count * ELEMENT_BYTES[kind], self._size_of(key)
        if not 0 <= declared <= size:
            raise ValueError(f"a storage declares {declared:,} bytes, but its file has {size:,}")
        return Inert()

    def replace_call(self) -> None:
        """Replace the result of a call in the pickle with a placeholder."""
        self.stack[-2:] = [Inert()]

    def skip_state(self) -> None:
        """Discard the state that a pickle sets on an object."""
        self.stack.pop()

    _calls: ClassVar[dict[int, Any]] = {
        pickle.REDUCE[0]: replace_call,
        pickle.NEWOBJ[0]: replace_call,
        pickle.BUILD[0]: skip_state,
    }
    dispatch = pickle._Unpickler.dispatch | _calls
