"""Looking at a model or an image set without an audit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.domain import Json
from service.errors import InputRefused, blaming
from service.image_sets import ImageEntry
from service.inspection import Inspect, InspectedModel
from service.redaction import named_only, redacted
from service.spec import Images, Model, Preprocessing
from service.transient import is_transient
from worker.digests import digest_of
from worker.fetching.opening import opener, reason_of
from worker.fetching.places import Places
from worker.images.read import Unreadable, read_picture
from worker.trying import Trial

CHUNK = 2  # pictures to try a model with
TRIED = 16  # pictures at the beginning of a set
MOST_LABELS = 1000
MOST_ERRORS = 10


@dataclass(frozen=True)
class Inspector:
    """Looks at what lies in some places; models are loaded by another process, within limits."""

    places: Places
    trial: Trial

    def look(self, asked: Inspect) -> Json:
        """What a model or an image set is. Raises InputRefused."""
        if asked.model is not None:
            with blaming("model.uri", "model"), _once():
                return self._model(asked.model)
        assert asked.images is not None, "one of the two is given"
        with blaming("images.uri"), _once():
            return self._images(asked.images)

    def _model(self, asked: InspectedModel) -> Json:
        source = self.places.pin(asked.uri)
        model = Model.model_validate(asked.model_dump(exclude={"uri"}, exclude_unset=True))
        with self.places.model(source) as path:
            return {"uri": named_only(source), "sha256": digest_of(path), **self.trial.run(path, model, CHUNK)}

    def _images(self, asked: Images) -> Json:
        """All of a set is listed; its first pictures, and some further on, are read."""
        source = self.places.pin(asked.uri)
        labels: Counter[str | None] = Counter()
        humans = 0
        tried: list[ImageEntry] = []
        for number, entry in enumerate(self.places.list_images(source)):
            labels[entry.label] += 1
            humans += entry.human is not None
            if number < TRIED or not number & (number - 1):  # those at powers of two
                tried.append(entry)
        return {
            "uri": named_only(source),
            "count": sum(labels.values()),
            "labels": dict(sorted((label, n) for label, n in labels.items() if label is not None)[:MOST_LABELS]),
            "unlabelled": labels[None],
            "human_maps": humans,
            "tried": len(tried),
            "errors": self._errors(tried)[:MOST_ERRORS],
        }

    def _errors(self, entries: list[ImageEntry]) -> list[Json]:
        read, found = opener(self.places), []
        for entry in entries:
            try:
                read_picture(read(entry.path), Preprocessing())
            except (Unreadable, OSError) as error:
                found.append({"image": entry.name, "reason": reason_of(error)})
        return found


@contextmanager
def _once() -> Iterator[None]:
    """Refuse what cannot be read, also where it may be read later: nobody but who asked tries again."""
    try:
        yield
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        remedy = (
            "see whether the URI is right, and ask again later" if is_transient(error) else "see whether it may be read"
        )
        raise InputRefused(reason=f"{redacted(told)}; {remedy}") from error
