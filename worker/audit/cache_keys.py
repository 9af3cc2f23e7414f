"""Cache keys of an image's numbers: equal keys mean equal numbers, to the bit.

A key is a hash of everything that the numbers depend on: the digests of the model and of the image, the options, the
chunk size, the device and the software. It leaves out what has no influence, such as the image's name, the sharding
and the rest of the cohort.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from service.domain.format import FORMAT
from service.domain.work import ACROSS_RUNS
from service.spec.model import JobSpec, Json
from worker.audit.provenance import software

KEY_BYTES = 16
# Fields of the spec's `model` that are not in the cache key. The digest of the model's file stands for `format`, the
# resolved preprocessing in `facts` for `preprocessing`, and the other two fields affect no stored value.
IRRELEVANT_MODEL_FIELDS: Mapping[str, bool | set[str]] = {
    "format": True,
    "preprocessing": True,
    "allow_nondeterministic": True,
    "outputs": {"attack_class"},
}


def is_seeded(spec: JobSpec) -> bool:
    """Return whether the numbers of a spec depend on its seed."""
    seeded = any(each.is_seeded(spec.options_of(each.name)) for each in spec.requested_measures())
    return seeded or spec.salience.method == "rise"


def measures_of_runs(spec: JobSpec) -> set[str]:
    """Return the names of the spec's per-run measures, which do not depend on the other runs of a cohort."""
    return {each.name for each in spec.requested_measures() if not each.across_runs}


@dataclass(frozen=True)
class ImageFacts:
    """The digests of an image's file and of its human map, its label, and the digest of its partner's file."""

    sha256: str
    human: str | None
    label: str | None
    partner: str | None = None


@dataclass(frozen=True)
class CacheKeys:
    """The keys of a cohort's numbers. `facts` come from the plan, `chunk` and `device` from the worker."""

    spec: JobSpec
    cohort: int
    facts: Json
    chunk: int
    device: str
    columns: tuple[tuple[str, ...], tuple[str, ...]]

    def for_run(self, number: int, image: ImageFacts) -> bytes:
        """Return the key of an image's numbers under one run."""
        return _hash([self._run_recipe, self._models[number], self._image(image)])

    def for_row(self, run: int, image: ImageFacts) -> bytes:
        """Return the key of an image's row under a run; ACROSS_RUNS stands for the row with the numbers across runs."""
        return self.for_cohort(image) if run == ACROSS_RUNS else self.for_run(run, image)

    def for_cohort(self, image: ImageFacts) -> bytes:
        """Return the key of an image's numbers across runs, which depend on the order and clean maps of runs."""
        return _hash([self._map_recipe, list(self.columns[1]), self._models, self._image(image)])

    def _image(self, image: ImageFacts) -> list[Any]:
        human = image.human if self.spec.needs_human_maps() else None
        return [image.sha256, human, class_number(image.label, self.facts["classes"]), image.partner]

    @property
    def _models(self) -> list[list[str]]:
        """The digest of each run's model, and whether the model's outputs are taken as logits or probabilities."""
        return [[run["sha256"], run["activation"]] for run in self.facts["runs"]]

    @cached_property
    def _map_recipe(self) -> str:
        """The digest of everything that a clean map depends on, except the model and the image."""
        spec, method = self.spec, self.spec.salience.method
        return _digest({
            "format": FORMAT, "software": software(), "device": self.device, "chunk": self.chunk,
            "precision": spec.precision, "salience": spec.salience.model_dump(mode="json"),
            "method": _options(spec, method), "seed": spec.seed if method == "rise" else None,
            "model": spec.cohorts[self.cohort].model.model_dump(mode="json", exclude=IRRELEVANT_MODEL_FIELDS),
            "preprocessing": self.facts["preprocessing"], "layer": self.facts["layer"],
        })  # fmt: skip

    @cached_property
    def _run_recipe(self) -> str:
        """The digest of everything that a run's numbers depend on, except the model and the image."""
        spec = self.spec
        # A blur guided by the maps of more runs at once may use another kernel on a GPU, whose results differ in their
        # last bits. Tests show that this does not happen on a CPU.
        together = spec.guided_passes() > 0 and self.device != "cpu"
        return _digest({
            "map": self._map_recipe, "columns": list(self.columns[0]), "seed": spec.seed if is_seeded(spec) else None,
            "options": {name: _options(spec, name) for name in sorted(measures_of_runs(spec))},
            "companions": self._models if together else None,
        })  # fmt: skip


def class_number(label: str | None, classes: Mapping[str, int]) -> int:
    """Return the number of a label's class; -1 if there is no label, or no class of this name."""
    return -1 if label is None else classes.get(label, -1)


def _options(spec: JobSpec, name: str) -> Json | None:
    found = spec.options_of(name)
    dumped: Json | None = found.model_dump(mode="json") if found is not None else None
    return dumped


def _digest(facts: Json) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _hash(parts: list[Any]) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()[:KEY_BYTES]
