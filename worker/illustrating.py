"""Explaining a picture again, to be looked at: in a few variants, under all runs of a cohort."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from service.domain import Image
from service.errors import ImagesRefused
from service.kept import MapRequest
from service.spec import Preprocessing
from service.storage import Store
from service.variants import CLEAN, narrowed, variant_of
from worker.audit import Audit, Looked
from worker.batch import Batch
from worker.fetching.opening import opener, reason_of
from worker.images.read import Picture, Unreadable, read_picture
from worker.keeping import keep_maps, keep_picture
from worker.measuring import Means, load_planned


def illustrate(request: MapRequest, store: Store, means: Means) -> None:
    """Make and keep the maps that somebody asked for. Raises InputRefused where they cannot be made any more."""
    job = store.jobs.get(request.job)
    (image,) = store.images.slice(job.id, request.image, request.image + 1)
    inside = job.set_of(image.number).field == "images"
    spec = narrowed(job.spec if inside else job.spec.outside(), request.variants)
    assert job.plan is not None, "maps are asked for of finished jobs"
    classes = job.plan["cohorts"][request.cohort]["classes"]
    means = means.of_job(job, store)
    picture = _read(image, spec.cohorts[request.cohort].model.preprocessing, means)
    labels = torch.tensor([classes.get(image.label, -1)], device=means.models.device)
    batch = Batch(picture.values[None].to(means.models.device), [picture.digest], labels)
    classifiers = [each.classifier for each in load_planned(job, request.cohort, spec, means)]
    natives = _natives(Audit(spec, request.cohort, classifiers, _uncounted).look(batch), request.variants)
    kept = keep_picture(request, job.spec, picture.values, natives)
    store.maps.keep(job.id, keep_maps(request, natives), [kept], request.lasting)
    store.map_requests.done(request)


def _uncounted(_passes: int) -> None:
    """The job has ended; these passes are none of its own."""


def _natives(runs: Iterable[Looked], variants: Sequence[str]) -> dict[str, list[Tensor]]:
    """The one picture's native maps in some variants, by run."""
    found: dict[str, list[Tensor]] = {variant: [] for variant in variants}
    for clean, keyed in runs:
        own = {CLEAN: clean} | {
            variant_of(measure, key): seen for measure, each in keyed.items() for key, seen in each.items()
        }
        for variant in variants:
            found[variant].append(own[variant].native[0])
    return found


def _read(image: Image, preprocessing: Preprocessing, means: Means) -> Picture:
    """The picture, which must be the one that was measured."""
    try:
        picture = read_picture(opener(means.places)(image.path), preprocessing)
    except (Unreadable, OSError) as error:
        raise ImagesRefused(reason=f"{image.name} cannot be read any more: {reason_of(error)}") from error
    if picture.digest != image.sha256:
        raise ImagesRefused(reason=f"{image.name} has changed since it was measured")
    return picture
