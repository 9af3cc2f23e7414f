"""Explaining a picture again, to be looked at: in a few variants, under all runs of a cohort."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from service.domain.job import Image
from service.domain.maps import MapRequest
from service.domain.variants import CLEAN, variant_of, with_only_variants
from service.errors import ImagesRefused
from service.spec.model import Preprocessing
from service.storage import Store
from worker.audit.audit import Audit, Explanations
from worker.audit.batch import ImageBatch
from worker.audit.shard import load_planned
from worker.context import WorkerContext
from worker.inputs.decode import DecodedImage, UnreadableImage, read_image
from worker.inputs.image_bytes import image_opener, skip_reason
from worker.maps.encode import encode_image, encode_maps


def explain_again(request: MapRequest, store: Store, means: WorkerContext) -> None:
    """Make and keep the maps that somebody asked for. Raises InputRefused where they cannot be made any more."""
    job = store.jobs.get(request.job)
    (image,) = store.images.slice(job.id, request.image, request.image + 1)
    inside = job.image_set_of(image.number).field == "images"
    spec = with_only_variants(job.spec if inside else job.spec.for_out_of_set(), request.variants)
    assert job.plan is not None, "maps are asked for of finished jobs"
    classes = job.plan["cohorts"][request.cohort]["classes"]
    means = means.of_job(job, store)
    decoded = _read(image, spec.cohorts[request.cohort].model.preprocessing, means)
    labels = torch.tensor([classes.get(image.label, -1)], device=means.models.device)
    batch = ImageBatch(decoded.values[None].to(means.models.device), [decoded.digest], labels)
    classifiers = [each.classifier for each in load_planned(job, request.cohort, spec, means)]
    natives = _natives(Audit(spec, request.cohort, classifiers, _ignore_passes).explain(batch), request.variants)
    kept = encode_image(request, job.spec, decoded.values, natives)
    store.maps.add(job.id, encode_maps(request, natives), [kept], request.is_permanent)
    store.map_requests.complete(request)


def _ignore_passes(_passes: int) -> None:
    """The job has ended; these passes are none of its own."""


def _natives(runs: Iterable[Explanations], variants: Sequence[str]) -> dict[str, list[Tensor]]:
    """The one picture's native maps in some variants, by run."""
    found: dict[str, list[Tensor]] = {variant: [] for variant in variants}
    for clean, keyed in runs:
        own = {CLEAN: clean} | {
            variant_of(measure, key): seen for measure, each in keyed.items() for key, seen in each.items()
        }
        for variant in variants:
            found[variant].append(own[variant].native[0])
    return found


def _read(image: Image, preprocessing: Preprocessing, means: WorkerContext) -> DecodedImage:
    """The picture, which must be the one that was measured."""
    try:
        decoded = read_image(image_opener(means.inputs)(image.path), preprocessing)
    except (UnreadableImage, OSError) as error:
        raise ImagesRefused(reason=f"{image.name} cannot be read any more: {skip_reason(error)}") from error
    if decoded.digest != image.sha256:
        raise ImagesRefused(reason=f"{image.name} has changed since it was measured")
    return decoded
