"""The models in this process's memory, by file and spec, so that the shards of a job load each once."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from service.errors import ModelRefused, naming_field
from service.errors.transient import is_transient
from service.spec.model import JobSpec, Model
from worker.inputs.digests import Stamp, digest_path, stamp_path
from worker.models.classifier import Classifier
from worker.models.load import load_classifier
from worker.models.randomised import Randomisation, load_randomised
from worker.models.sandbox import DEFAULT_LIMITS, ModelSandbox, sandbox_for
from worker.runtime.batch_size import chunk_size
from worker.runtime.metrics import count_cache_request

MAX_HALVINGS = 64
CHECK_CHUNK = 2  # pictures that a model is tried with
Key = tuple[Path, Stamp, Model, int, str, int, tuple[float, ...]]


@dataclass(frozen=True)
class LoadedModel:
    """A classifier, the SHA-256 of its file, in hex, and the classifier with shares of its layers drawn anew."""

    classifier: Classifier
    sha256: str
    randomised: Sequence[Classifier]


def naming_run(cohort: int, run: int) -> AbstractContextManager[None]:
    """Have what is refused of a run's model name the run, or the field of its cohort's model that is wrong."""
    return naming_field(f"cohorts[{cohort}].runs[{run}].uri", f"cohorts[{cohort}].model")


class ModelCache:
    """The models used last, at most `room` of them, on one device."""

    def __init__(self, device: torch.device, room: int = 24, trial: ModelSandbox | None = None) -> None:
        self.device, self._room, self.trial = device, room, trial or sandbox_for(DEFAULT_LIMITS)
        self._share = 1
        self._kept: OrderedDict[Key, LoadedModel] = OrderedDict()

    def load(self, path: Path, model: Model, spec: JobSpec) -> LoadedModel:
        """The model in a file, made for a job's passes; read again once the file has changed. Raises ModelRefused."""
        key = self._key(path, model, spec)
        count_cache_request("models", key in self._kept)
        if key not in self._kept:
            self._kept[key] = self._read(path, model, spec)
        self._kept.move_to_end(key)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _read(self, path: Path, model: Model, spec: JobSpec) -> LoadedModel:
        digest = digest_path(path)  # before it is loaded, so that no other file is taken for it
        classifier = load_classifier(path, model, self.chunk(spec), self.device, spec.precision)
        how = Randomisation(spec.randomised_shares(), spec.seed, digest)
        return LoadedModel(classifier, digest, load_randomised(path, model, classifier, how))

    def check_loads(self, path: Path, model: Model, spec: JobSpec) -> None:
        """Have a model that is not here yet loaded by another process first, within limits. Raises ModelRefused."""
        if self._key(path, model, spec) not in self._kept:
            self.trial.check_loads(path, model, CHECK_CHUNK)

    def chunk(self, spec: JobSpec) -> int:
        """Pictures that a spec's models take at once."""
        return -(-chunk_size(spec, self.device) // self._share)

    def _key(self, path: Path, model: Model, spec: JobSpec) -> Key:
        shares = tuple(spec.randomised_shares())
        seed = spec.seed if shares else 0
        try:
            return (path, stamp_path(path), model, self.chunk(spec), spec.precision, seed, shares)
        except OSError as error:
            if is_transient(error):
                raise
            raise ModelRefused(reason=f"{path} cannot be read: {error.strerror}") from error

    def halve_chunks(self) -> bool:
        """Have models loaded for half as many pictures at once from now on. False: it had come to one."""
        self._kept.clear()
        self._share *= 2
        return self._share <= MAX_HALVINGS
