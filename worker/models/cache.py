"""Caches loaded models in memory, by file and spec, so that the shards of a job load each model once."""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from service.errors import ModelRefused, naming_field
from service.errors.transient import is_transient
from service.spec.cohort import Model
from service.spec.model import JobSpec
from worker.inputs.digests import Stamp, digest_path, stamp_path
from worker.models.classifier import Classifier
from worker.models.load import load_classifier
from worker.models.randomised import Randomisation, load_randomised
from worker.models.sandbox import DEFAULT_LIMITS, ModelSandbox, sandbox_for
from worker.runtime.batch_size import chunk_size
from worker.runtime.metrics import count_cache_request

MAX_HALVINGS = 64
CHECK_CHUNK = 2  # number of images in the batch on which the sandbox runs a model
Key = tuple[Path, Stamp, Model, int, str, int, tuple[float, ...]]


@dataclass(frozen=True)
class LoadedModel:
    """A classifier and the SHA-256 of its file in hex.

    `randomised` has copies of the classifier whose top layers have random weights, by the share of such layers.
    """

    classifier: Classifier
    sha256: str
    randomised: Mapping[str, Classifier]


def naming_run(cohort: int, run: int) -> AbstractContextManager[None]:
    """Context manager that adds the spec's field to a ModelRefused: the run's URI, or a field of the cohort's model."""
    return naming_field(f"cohorts[{cohort}].runs[{run}].uri", f"cohorts[{cohort}].model")


class ModelCache:
    """An LRU cache of at most `capacity` models on one device."""

    def __init__(self, device: torch.device, capacity: int = 24, sandbox: ModelSandbox | None = None) -> None:
        self.device, self._capacity, self.sandbox = device, capacity, sandbox or sandbox_for(DEFAULT_LIMITS)
        self._chunk_divisor = 1
        self._models: OrderedDict[Key, LoadedModel] = OrderedDict()

    def load(self, path: Path, model: Model, spec: JobSpec) -> LoadedModel:
        """Return the model in a file, ready for the spec's passes. A changed file is loaded again.

        Raises ModelRefused.
        """
        key = self._key(path, model, spec)
        count_cache_request("models", key in self._models)
        if key not in self._models:
            self._models[key] = self._read(path, model, spec)
        self._models.move_to_end(key)
        while len(self._models) > self._capacity:
            self._models.popitem(last=False)
        return self._models[key]

    def _read(self, path: Path, model: Model, spec: JobSpec) -> LoadedModel:
        # The digest is taken before loading, so that a later change of the file changes the cache key.
        digest = digest_path(path)
        classifier = load_classifier(path, model, self.chunk(spec), self.device, spec.precision)
        randomisation = Randomisation(spec.randomised_shares(), spec.seed, digest)
        return LoadedModel(classifier, digest, load_randomised(path, model, classifier, randomisation))

    def check_loads(self, path: Path, model: Model, spec: JobSpec) -> None:
        """Load a model in the sandbox, within the sandbox's limits, unless the model is cached. Raises ModelRefused."""
        if self._key(path, model, spec) not in self._models:
            self.sandbox.check_loads(path, model, CHECK_CHUNK)

    def chunk(self, spec: JobSpec) -> int:
        """Return how many images the models of a spec take in one batch."""
        return -(-chunk_size(spec, self.device) // self._chunk_divisor)

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
        """Load models for half as many images in one batch from now on. Return False once the batch is one image."""
        self._models.clear()
        self._chunk_divisor *= 2
        return self._chunk_divisor <= MAX_HALVINGS
