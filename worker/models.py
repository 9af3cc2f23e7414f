"""The models in this process's memory, by file and spec, so that the shards of a job load each once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from service.errors import ModelRefused
from service.spec import JobSpec, Model
from service.transient import is_transient
from worker.chunks import chunk_size
from worker.classifiers.classifier import Classifier
from worker.classifiers.load import load_classifier
from worker.classifiers.randomised import Randomisation, load_randomised

MOST_HALVED = 64
Key = tuple[Path, int, int, Model, int, str, int, tuple[float, ...]]


@dataclass(frozen=True)
class LoadedModel:
    """A classifier, the SHA-256 of its file, in hex, and the classifier with shares of its layers drawn anew."""

    classifier: Classifier
    sha256: str
    randomised: Sequence[Classifier]


class Models:
    """The models used last, at most `room` of them, on one device."""

    def __init__(self, device: torch.device, room: int = 24) -> None:
        self.device, self._room = device, room
        self._share, self._lock = 1, threading.Lock()
        self._kept: OrderedDict[Key, LoadedModel] = OrderedDict()

    def load(self, path: Path, model: Model, spec: JobSpec) -> LoadedModel:
        """The model in a file, made for a job's passes; read again once the file has changed. Raises ModelRefused."""
        try:
            found = path.stat()
        except OSError as error:
            if is_transient(error):
                raise
            raise ModelRefused(reason=f"{path} cannot be read: {error.strerror}") from error
        chunk = -(-chunk_size(spec, self.device) // self._share)
        shares = tuple(spec.randomised_shares())
        key = (path, found.st_mtime_ns, found.st_size, model, chunk, spec.precision, spec.seed if shares else 0, shares)
        with self._lock:  # of several threads that want it, one loads it
            if key not in self._kept:
                classifier = load_classifier(path, model, chunk, self.device, spec.precision)
                digest = _digest(path)
                randomised = load_randomised(path, model, classifier, Randomisation(shares, spec.seed, digest))
                self._kept[key] = LoadedModel(classifier, digest, randomised)
            self._kept.move_to_end(key)
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
            return self._kept[key]

    def halve_chunks(self) -> bool:
        """Have models loaded for half as many pictures at once from now on. False: it had come to one."""
        with self._lock:
            self._kept.clear()
            self._share *= 2
        return self._share <= MOST_HALVED


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
