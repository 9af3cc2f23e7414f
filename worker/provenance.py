"""What a result says of its own making: all that is needed to get it again."""

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import torch

from service import __version__
from service.domain import Image, Job, Json

LIBRARIES = (
    "torch", "torchvision", "captum", "numpy", "pillow", "timm", "transformers", "safetensors", "onnxruntime", "pyarrow"
)  # fmt: skip


def provenance(job: Job, read: Sequence[Image], skipped: int, devices: Sequence[str]) -> Json:
    """The spec with its defaults, digests of models and images, versions, devices, precision."""
    plan = job.plan or {}
    models = {run["uri"]: run["sha256"] for cohort in plan["cohorts"] for run in cohort["runs"]}
    by_cohort = list(zip(job.spec.cohorts, plan["cohorts"], strict=True))
    layers = {cohort.name: facts["layer"] for cohort, facts in by_cohort}
    return {
        "spec": job.spec.model_dump(mode="json"),
        "models": models,
        "layers": layers,
        "classes_by": {cohort.name: facts["classes_by"] for cohort, facts in by_cohort},
        "images": {"sha256": image_set_digest(read), "listed": job.images_total, "read": len(read), "skipped": skipped},
        "software": _software(),
        "device": ", ".join(devices),
        "precision": "float32" if job.spec.precision == "tf32" and "cpu" in devices else job.spec.precision,
    }


def image_set_digest(images: Sequence[Image]) -> str:
    """SHA-256 over the lines `digest name label` (tabs between) of the pictures read, sorted."""
    lines = sorted(f"{image.sha256}\t{image.name}\t{image.label or ''}\n" for image in images)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _software() -> dict[str, str]:
    found = {"salience-audit": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = torch.__version__ if name == "torch" else version(name)
        except PackageNotFoundError:
            continue
    return found
