"""What kind of model file this is, told by its content, without torch."""

import zipfile
from pathlib import Path
from typing import Literal

from service.errors import ModelRefused

Format = Literal["checkpoint", "torchscript"]


def sniff(path: Path) -> Format:
    """The format of a model file: TorchScript archives carry code, checkpoints only data.

    Raises ModelRefused for a folder, an empty file or one that is neither.
    """
    if not path.is_file():
        raise ModelRefused(reason=f"{path} is not a file")
    with path.open("rb") as file:
        head = file.read(2)
    if head == b"PK":
        return _sniff_archive(path)
    # A pickle of protocol 2 or later, as torch saved checkpoints before version 1.6.
    if head[:1] == b"\x80":
        return "checkpoint"
    raise ModelRefused(reason=f"{path} is neither a torch checkpoint nor a TorchScript archive")


def _sniff_archive(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            inner = {name.partition("/")[2] for name in archive.namelist()}
    # zipfile calls a version that it does not know, as damage makes them, not implemented.
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise ModelRefused(reason=f"{path} is a damaged archive: {error}") from error
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "checkpoint"
    raise ModelRefused(reason=f"{path} is a zip file, but neither a torch checkpoint nor a TorchScript archive")
