"""Describes the provenance of a result: everything needed to reproduce it."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import count

import torch

from service import __version__
from service.domain.job import ImageSet, Job
from service.spec.model import Json
from service.telemetry.redaction import strip_query_values, strip_query_values_in

LIBRARIES = (
    "torch", "torchvision", "captum", "numpy", "pillow", "timm", "transformers", "safetensors", "onnxruntime", "pyarrow"
)  # fmt: skip


@dataclass(frozen=True)
class ReadImageSet:
    """An image set, how many of its images were read, and the SHA-256 over the sorted lines of these images.

    Each line is `digest<TAB>name<TAB>label`.
    """

    among: ImageSet
    sha256: str
    read: int

    def to_json(self) -> Json:
        """Return the digest and the numbers of listed, read and skipped images, as the results show them."""
        listed = self.among.stop - self.among.start
        return {"sha256": self.sha256, "listed": listed, "read": self.read, "skipped": listed - self.read}


def provenance(job: Job, sets: Sequence[ReadImageSet], devices: Sequence[str]) -> Json:
    """Return the spec with defaults, digests of models and images, software versions, devices and precision."""
    facts = job.cohort_facts
    return {
        "spec": strip_query_values_in(job.spec.model_dump(mode="json")),
        "models": _models([run for own in facts.values() for run in own["runs"]]),
        "layers": {name: own["layer"] for name, own in facts.items()},
        "classes_by": {name: own["classes_by"] for name, own in facts.items()},
        **{each.among.field: each.to_json() for each in sets},
        "software": dict(software()),
        "device": ", ".join(devices),
        "precision": "float32" if job.spec.precision == "tf32" and "cpu" in devices else job.spec.precision,
    }


def _models(runs: Sequence[Json]) -> dict[str, str]:
    """Return the digest of each model by its URI without query values.

    URIs that differ only in the removed values get a number, such as `uri (2)`.
    """
    found: dict[str, str] = {}
    for uri, digest in {run["uri"]: run["sha256"] for run in runs}.items():
        shown = name = strip_query_values(uri)
        for number in count(2):
            if name not in found:
                break
            name = f"{shown} ({number})"
        found[name] = digest
    return found


@cache
def software() -> Mapping[str, str]:
    """Return the versions of Python and of the libraries that affect the numbers."""
    found = {"salience-audit": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = torch.__version__ if name == "torch" else version(name)
        except PackageNotFoundError:
            continue
    return found
