"""Makes the maps of one image again on demand: of requested variants of the image, for all runs of a cohort."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from service.domain.job import Image
from service.domain.maps import MapRequest
from service.domain.variants import CLEAN, variant_of, with_only_variants
from service.errors import ImagesRefused
from service.spec.cohort import Preprocessing
from service.storage import Store
from worker.audit.audit import Audit, Explanations
from worker.audit.batch import ImageBatch
from worker.audit.shard import load_planned
from worker.context import WorkerContext
from worker.inputs.decode import DecodedImage, UnreadableImage, read_image
from worker.inputs.image_bytes import image_opener, skip_reason
from worker.maps.encode import encode_image, encode_maps


def explain_again(request: MapRequest, store: Store, context: WorkerContext) -> None:
    """Make and store the requested maps. Raises InputRefused if an input has changed or become unreadable."""
    job = store.jobs.get(request.job)
    (image,) = store.images.slice(job.id, request.image, request.image + 1)
    is_in_set = job.image_set_of(image.number).field == "images"
    spec = with_only_variants(job.spec if is_in_set else job.spec.for_out_of_set(), request.variants)
    assert job.plan is not None, "map requests name jobs that have succeeded"
    classes = job.plan["cohorts"][request.cohort]["classes"]
    context = context.for_job(job, store)
    decoded = _read(image, spec.cohorts[request.cohort].model.preprocessing, context)
    labels = torch.tensor([classes.get(image.label, -1)], device=context.models.device)
    batch = ImageBatch(decoded.values[None].to(context.models.device), [decoded.digest], labels)
    classifiers = [each.classifier for each in load_planned(job, request.cohort, spec, context)]
    natives = _natives(Audit(spec, request.cohort, classifiers, _ignore_passes).explain(batch), request.variants)
    stored = encode_image(request, job.spec, decoded.values, natives)
    store.maps.add(job.id, encode_maps(request, natives), [stored], request.is_permanent)
    store.map_requests.complete(request)


def _ignore_passes(_passes: int) -> None:
    """Count no passes: the job has ended."""


def _natives(runs: Iterable[Explanations], variants: Sequence[str]) -> dict[str, list[Tensor]]:
    """Return the native maps of the image in each variant, as a list by run."""
    found: dict[str, list[Tensor]] = {variant: [] for variant in variants}
    for clean, by_measure in runs:
        explanations = {CLEAN: clean} | {
            variant_of(measure, key): explanation
            for measure, by_key in by_measure.items()
            for key, explanation in by_key.items()
        }
        for variant in variants:
            found[variant].append(explanations[variant].native[0])
    return found


def _read(image: Image, preprocessing: Preprocessing, context: WorkerContext) -> DecodedImage:
    """Read the image. Raises ImagesRefused unless it is the image that the audit read."""
    try:
        decoded = read_image(image_opener(context.inputs)(image.path), preprocessing)
    except (UnreadableImage, OSError) as error:
        raise ImagesRefused(reason=f"{image.name} is no longer readable: {skip_reason(error)}") from error
    if decoded.digest != image.sha256:
        raise ImagesRefused(reason=f"{image.name} has changed since the audit")
    return decoded
