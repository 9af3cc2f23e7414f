"""Inspects a model or an image set without an audit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.domain.inspection import Inspect, InspectedModel
from service.errors import InputRefused, naming_field
from service.errors.transient import is_transient
from service.inputs.image_sets.listing import ImageEntry
from service.spec.cohort import Model, Preprocessing
from service.spec.images import Images
from service.spec.model import Json
from service.telemetry.redaction import redact, strip_query_values
from worker.inputs.decode import UnreadableImage, read_image
from worker.inputs.digests import digest_path
from worker.inputs.image_bytes import image_opener, skip_reason
from worker.inputs.resolver import InputResolver
from worker.models.sandbox import ModelSandbox

CHUNK = 2  # number of images in the batch on which a model is tested
SAMPLED = 16  # number of images that are read at the beginning of an image set
MAX_LABELS = 1000
MAX_ERRORS = 10


@dataclass(frozen=True)
class Inspector:
    """Inspects the inputs that `inputs` resolves. The sandbox loads models, within limits."""

    inputs: InputResolver
    sandbox: ModelSandbox

    def inspect(self, request: Inspect) -> Json:
        """Describe a model or an image set as JSON. Raises InputRefused."""
        if request.model is not None:
            with naming_field("model.uri", "model"), _without_retries():
                return self._model(request.model)
        assert request.images is not None, "a request names a model or an image set"
        with naming_field("images.uri"), _without_retries():
            return self._images(request.images)

    def _model(self, request: InspectedModel) -> Json:
        source = self.inputs.resolve(request.uri)
        model = Model.model_validate(request.model_dump(exclude={"uri"}, exclude_unset=True))
        with self.inputs.model(source) as path:
            return {
                "uri": strip_query_values(source),
                "sha256": digest_path(path),
                **self.sandbox.check_loads(path, model, CHUNK),
            }

    def _images(self, request: Images) -> Json:
        """List the whole image set, but read only its first images and some later ones."""
        source = self.inputs.resolve(request.uri)
        labels: Counter[str | None] = Counter()
        human_maps = 0
        tried: list[ImageEntry] = []
        for number, entry in enumerate(self.inputs.list_images(source)):
            labels[entry.label] += 1
            human_maps += entry.human is not None
            if number < SAMPLED or not number & (number - 1):  # the number is zero or a power of two
                tried.append(entry)
        return {
            "uri": strip_query_values(source),
            "count": sum(labels.values()),
            "labels": dict(sorted((label, n) for label, n in labels.items() if label is not None)[:MAX_LABELS]),
            "unlabelled": labels[None],
            "human_maps": human_maps,
            "tried": len(tried),
            "errors": self._errors(tried)[:MAX_ERRORS],
        }

    def _errors(self, entries: list[ImageEntry]) -> list[Json]:
        read, found = image_opener(self.inputs), []
        for entry in entries:
            try:
                read_image(read(entry.path), Preprocessing())
            except (UnreadableImage, OSError) as error:
                found.append({"image": entry.name, "reason": skip_reason(error)})
        return found


@contextmanager
def _without_retries() -> Iterator[None]:
    """Turn read errors into InputRefused, even transient ones: an inspection is not retried."""
    try:
        yield
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        remedy = "check the URI and try again later" if is_transient(error) else "check that it is readable"
        raise InputRefused(reason=f"{redact(reason)}; {remedy}") from error
