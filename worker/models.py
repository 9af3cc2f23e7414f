"""The models in this process's memory, by file and spec, so that the shards of a job load each once."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch

from service.errors import ModelRefused
from service.spec import Model
from worker.classifiers.classifier import Classifier
from worker.classifiers.load import load_classifier

Key = tuple[Path, int, int, Model]


@dataclass(frozen=True)
class LoadedModel:
    """A classifier and the SHA-256 of its file, in hex."""

    classifier: Classifier
    sha256: str


class Models:
    """The models used last, at most `room` of them, on one device, each run on `batch_size` pictures at a time."""

    def __init__(self, batch_size: int, device: torch.device, room: int = 24) -> None:
        self.batch_size, self._device, self._room = batch_size, device, room
        self._kept: OrderedDict[Key, LoadedModel] = OrderedDict()

    def load(self, path: Path, model: Model) -> LoadedModel:
        """The model in a file; read again once the file has changed. Raises ModelRefused."""
        try:
            found = path.stat()
        except OSError as error:
            raise ModelRefused(reason=f"{path} cannot be read: {error.strerror}") from error
        key = (path, found.st_mtime_ns, found.st_size, model)
        if key not in self._kept:
            self._kept[key] = LoadedModel(load_classifier(path, model, self.batch_size, self._device), _digest(path))
        self._kept.move_to_end(key)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return self._kept[key]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
