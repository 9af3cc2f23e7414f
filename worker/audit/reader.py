"""Reads a shard's images in a background thread, one page ahead of the audit."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from service.domain.job import Image
from service.inputs.references import parse_reference
from service.spec.cohort import Preprocessing
from service.telemetry.redaction import redact
from worker.audit.batch import ImageBatch
from worker.audit.cache import CachedRows, ResultCache
from worker.audit.cache_keys import ImageFacts, class_number
from worker.inputs.decode import DecodedImage, UnreadableImage, read_image
from worker.inputs.image_bytes import skip_reason


@dataclass(frozen=True)
class ReadImage:
    """An image of a job with its pixels, and its human map (H, W) if the image set has human maps.

    `known` has the cached numbers of the image; `facts` has the part of the cache key that depends on the image.
    """

    image: Image
    decoded: DecodedImage
    human: torch.Tensor | None
    facts: ImageFacts
    known: CachedRows


@dataclass(frozen=True)
class Page:
    """Some of a shard's images: those to score, those whose numbers are all cached, and the read status of each."""

    to_score: Sequence[ReadImage]
    cached: Sequence[tuple[Image, CachedRows]]
    checked: Sequence[Image]

    @property
    def all_known(self) -> list[CachedRows]:
        """The cached rows of every readable image."""
        return [*(known for _, known in self.cached), *(each.known for each in self.to_score)]


def read_ahead(
    images: Sequence[Image], size: Callable[[], int], decode: "ImageDecoder", last_try: bool = False
) -> Iterator[Page]:
    """Yield pages of at most `size()` images; the next page is read while the caller works on one.

    Raises OSError if a file may be readable later. On the last try such an image is skipped, like any unreadable one.
    """
    with ThreadPoolExecutor(1, "reading") as pool:
        pending: deque[Future[Page]] = deque()
        start = 0
        while start < len(images) or pending:
            if start < len(images):
                stop = start + size()
                pending.append(pool.submit(_read_page, images[start:stop], decode, last_try))
                start = stop
            if len(pending) > 1 or start >= len(images):
                yield pending.popleft().result()


@dataclass(frozen=True)
class ImageDecoder:
    """Turns references into images: reads their bytes, decodes them, and finds their cached rows."""

    read: Callable[[str], bytes]
    preprocessing: Preprocessing
    cache: ResultCache | None = None

    def fetch(self, image: Image) -> "_Fetched":
        """Read an image's bytes. Raises UnreadableImage, and OSError if they may be readable later."""
        content = self.read(image.path)
        human = None
        if image.human:
            with _naming_human_map(image):
                human = self.read(image.human)
        facts = ImageFacts(_digest(content), None if human is None else _digest(human), image.label)
        return _Fetched(image, content, human, facts)

    def decode(self, fetched: "_Fetched", known: CachedRows) -> ReadImage:
        """Decode the image, and its human map (H, W) in [0, 1] with the same crop. Raises UnreadableImage."""
        image, human = read_image(fetched.content, self.preprocessing), None
        if fetched.human is not None:
            with _naming_human_map(fetched.image):
                human = read_image(fetched.human, self.preprocessing).values[0]
        return ReadImage(fetched.image, image, human, fetched.facts, known)

    def find_rows(self, fetched: Sequence["_Fetched"]) -> Sequence[CachedRows]:
        """Return the cached rows of some images."""
        return self.cache.find_rows([each.facts for each in fetched]) if self.cache else [CachedRows() for _ in fetched]

    def is_complete(self, known: CachedRows) -> bool:
        """Return whether all numbers of an image are cached."""
        return self.cache is not None and not self.cache.missing(known)


@dataclass(frozen=True)
class _Fetched:
    image: Image
    content: bytes
    human: bytes | None
    facts: ImageFacts


def _read_page(images: Sequence[Image], decode: ImageDecoder, last_try: bool) -> Page:
    read, checked, finished = list[ReadImage](), list[Image](), list[tuple[Image, CachedRows]]()
    fetched = []
    for image in images:
        try:
            fetched.append(decode.fetch(image))
        except (UnreadableImage, OSError) as error:
            if isinstance(error, OSError) and not last_try:
                raise
            checked.append(image._replace(skipped=skip_reason(error)))
    for each, known in zip(fetched, decode.find_rows(fetched), strict=True):
        checked.append(each.image._replace(sha256=each.facts.sha256))
        if decode.is_complete(known):
            finished.append((each.image, known))
            continue
        try:
            read.append(decode.decode(each, known))
        except UnreadableImage as error:
            checked[-1] = each.image._replace(skipped=str(error))
    return Page(read, finished, sorted(checked, key=lambda each: each.number))


@contextmanager
def _naming_human_map(image: Image) -> Iterator[None]:
    try:
        yield
    except UnreadableImage as error:
        called = "" if image.human is None or parse_reference(image.human) else f" {redact(image.human)}"
        raise UnreadableImage(f"its human map{called}: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_batch(read: Sequence[ReadImage], classes: dict[str, int], device: torch.device) -> ImageBatch:
    """Return a batch of images on a device; `classes` has the class number of each label."""
    labels = [class_number(each.image.label, classes) for each in read]
    humans = [each.human for each in read if each.human is not None]
    return ImageBatch(
        torch.stack([each.decoded.values for each in read]).to(device),
        [each.decoded.digest for each in read],
        torch.tensor(labels, device=device),
        torch.stack(humans).to(device) if len(humans) == len(read) else None,
    )
