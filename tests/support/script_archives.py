"""Makes TorchScript archives with hand-written code, to test which code is refused."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from worker.models.load import load_classifier

SMALL = Model(preprocessing=Preprocessing(size=(16, 16)))
Members = dict[str, bytes]  # the content of each file of an archive, by name


class Plain(nn.Module):
    """A model with the buffer `numbers`: seven float32 values, 28 bytes."""

    numbers: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(7.0))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3)."""
        return images.mean((2, 3)) + self.numbers.sum()


def script(model: nn.Module, path: Path) -> Path:
    """Compile a model with torch.jit.script and save the archive. Returns its path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile_: Any = torch.jit.script
        compile_(model).save(str(path))
    return path


def forge(folder: Path, change: Callable[[Members], None]) -> Path:
    """Save the archive of a plain model after `change` has changed its files. Returns the path."""
    with zipfile.ZipFile(script(Plain(), folder / "m.pt")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / "m.pt", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "m.pt"


def code_of(members: Members) -> str:
    """Return the name of an archive's code file."""
    return next(name for name in members if "/code/" in name and name.endswith(".py"))


def with_code(change: Callable[[bytes], bytes]) -> Callable[[Members], None]:
    """Return a function for `forge` that replaces the code of the archive by `change(code)`."""

    def changed(members: Members) -> None:
        name = code_of(members)
        members[name] = change(members[name])

    return changed


def with_text(text: bytes) -> Callable[[Members], None]:
    """Return a function for `forge` that inserts lines of code at the beginning of the model's method forward."""

    def change(code: bytes) -> bytes:
        head, body = code.split(b"-> Tensor:\n")
        return head + b"-> Tensor:\n" + text + body

    return with_code(change)


def refusal(path: Path) -> str:
    """Check that loading an archive raises ModelRefused. Returns the message of the error."""
    with pytest.raises(ModelRefused) as refused:
        load_classifier(path, SMALL, 2)
    return str(refused.value)
