"""Whether each tensor of a TorchScript archive has the bytes that it says it has.

`torch.jit.load` takes a storage's length from the pickle and its bytes from another file of the archive, and compares
the two in no way: a tensor could show memory that is not its own. `torch.load` compares them.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

# Bytes of a number, by the kind of storage.
NUMBER = {
    "BFloat16Storage": 2, "BoolStorage": 1, "ByteStorage": 1, "CharStorage": 1, "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8, "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "IntStorage": 4,
    "LongStorage": 8, "ShortStorage": 2,
}  # fmt: skip


def check_storages(content: bytes, size_of: Callable[[str], int]) -> None:
    """Raise ValueError for a pickle with a storage longer than its file; `size_of` gives a file's bytes by its name."""
    Storages(content, size_of).load()


class Inert:
    """Stands for whatever a pickle makes; what is put into it is gone."""

    def __setitem__(self, _key: Any, _value: Any) -> None: ...

    def append(self, _value: Any) -> None:
        """Do nothing."""

    def extend(self, _values: Any) -> None:
        """Do nothing."""


class Storages(pickle._Unpickler):
    """Reads a pickle for its storages alone, and makes nothing of what it names.

    Python's own reader, written in Python, since torch writes calls in ways that the one in C does not take.
    """

    stack: list[Any]

    def __init__(self, content: bytes, size_of: Callable[[str], int]) -> None:
        super().__init__(io.BytesIO(content))
        self._size_of = size_of

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle names: nothing, and of storages their kind."""
        return name if module == "torch" and name in NUMBER else Inert()

    def persistent_load(self, pid: Any) -> Inert:
        """Compare what a pickle says of a storage with its file."""
        _, kind, key, _, count = pid
        needed, size = count * NUMBER[kind], self._size_of(key)
        if not 0 <= needed <= size:
            raise ValueError(f"a storage of {needed:,} bytes has {size:,}")
        return Inert()

    def make(self) -> None:
        """Put nothing in the place of what a pickle has called, with arguments of whatever kind torch writes."""
        self.stack[-2:] = [Inert()]

    def build(self) -> None:
        """Leave out what a pickle puts into an object."""
        self.stack.pop()

    _calls: ClassVar[dict[int, Any]] = {pickle.REDUCE[0]: make, pickle.NEWOBJ[0]: make, pickle.BUILD[0]: build}
    dispatch = pickle._Unpickler.dispatch | _calls
