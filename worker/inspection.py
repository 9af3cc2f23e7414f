"""Looking at a model or an image set without an audit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.domain.inspection import Inspect, InspectedModel
from service.errors import InputRefused, naming_field
from service.errors.transient import is_transient
from service.inputs.image_sets.listing import ImageEntry
from service.spec.model import Images, Json, Model, Preprocessing
from service.telemetry.redaction import redact, strip_query_values
from worker.inputs.decode import UnreadableImage, read_image
from worker.inputs.digests import digest_path
from worker.inputs.image_bytes import image_opener, skip_reason
from worker.inputs.resolver import InputResolver
from worker.models.sandbox import ModelSandbox

CHUNK = 2  # pictures to try a model with
SAMPLED = 16  # pictures at the beginning of a set
MAX_LABELS = 1000
MAX_ERRORS = 10


@dataclass(frozen=True)
class Inspector:
    """Looks at what lies in some places; models are loaded by another process, within limits."""

    inputs: InputResolver
    sandbox: ModelSandbox

    def inspect(self, request: Inspect) -> Json:
        """What a model or an image set is. Raises InputRefused."""
        if request.model is not None:
            with naming_field("model.uri", "model"), _without_retries():
                return self._model(request.model)
        assert request.images is not None, "one of the two is given"
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
        """All of a set is listed; its first pictures, and some further on, are read."""
        source = self.inputs.resolve(request.uri)
        labels: Counter[str | None] = Counter()
        humans = 0
        tried: list[ImageEntry] = []
        for number, entry in enumerate(self.inputs.list_images(source)):
            labels[entry.label] += 1
            humans += entry.human is not None
            if number < SAMPLED or not number & (number - 1):  # those at powers of two
                tried.append(entry)
        return {
            "uri": strip_query_values(source),
            "count": sum(labels.values()),
            "labels": dict(sorted((label, n) for label, n in labels.items() if label is not None)[:MAX_LABELS]),
            "unlabelled": labels[None],
            "human_maps": humans,
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
    """Refuse what cannot be read, also where it may be read later: nobody but who asked tries again."""
    try:
        yield
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        remedy = (
            "see whether the URI is right, and ask again later" if is_transient(error) else "see whether it may be read"
        )
        raise InputRefused(reason=f"{redact(message)}; {remedy}") from error
