"""Reading a shard's pictures ahead of the work on them, in a thread of their own."""

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
    """A picture of a job, what was read of it, and where people look on it, if the set has that.

    `cached` are numbers that need not be computed, `facts` what others are known by.
    """

    image: Image
    decoded: DecodedImage
    human: torch.Tensor | None
    facts: ImageFacts
    known: CachedRows


@dataclass(frozen=True)
class Page:
    """Some of a shard's pictures: those to be scored, those of which all is known, what there is to note of each."""

    to_score: Sequence[ReadImage]
    cached: Sequence[tuple[Image, CachedRows]]
    checked: Sequence[Image]

    @property
    def all_known(self) -> list[CachedRows]:
        """What is known of each."""
        return [*(known for _, known in self.cached), *(each.known for each in self.to_score)]


def read_ahead(
    images: Sequence[Image], size: Callable[[], int], decode: "ImageDecoder", last_try: bool = False
) -> Iterator[Page]:
    """Pages of at most `size()` pictures; while one is worked on, the next is read.

    Raises OSError where a file may be readable later; on the last try, such a picture is skipped as others are.
    """
    with ThreadPoolExecutor(1, "reading") as pool:
        coming: deque[Future[Page]] = deque()
        start = 0
        while start < len(images) or coming:
            if start < len(images):
                stop = start + size()
                coming.append(pool.submit(_read_page, images[start:stop], decode, last_try))
                start = stop
            if len(coming) > 1 or start >= len(images):
                yield coming.popleft().result()


@dataclass(frozen=True)
class ImageDecoder:
    """How references become pictures: where their bytes come from, what is made of these, what is known of them."""

    read: Callable[[str], bytes]
    preprocessing: Preprocessing
    cache: ResultCache | None = None

    def fetch(self, image: Image) -> "_Fetched":
        """A picture's bytes. Raises UnreadableImage, and OSError where they may be readable later."""
        content = self.read(image.path)
        human = None
        if image.human:
            with _naming_human_map(image):
                human = self.read(image.human)
        facts = ImageFacts(_digest(content), None if human is None else _digest(human), image.label)
        return _Fetched(image, content, human, facts)

    def decode(self, fetched: "_Fetched", known: CachedRows) -> ReadImage:
        """The picture, and a grey one of where people look, (H, W) in [0, 1], cut as it. Raises UnreadableImage."""
        image, human = read_image(fetched.content, self.preprocessing), None
        if fetched.human is not None:
            with _naming_human_map(fetched.image):
                human = read_image(fetched.human, self.preprocessing).values[0]
        return ReadImage(fetched.image, image, human, fetched.facts, known)

    def find_rows(self, fetched: Sequence["_Fetched"]) -> Sequence[CachedRows]:
        """What is known of some pictures."""
        return self.cache.find_rows([each.facts for each in fetched]) if self.cache else [CachedRows() for _ in fetched]

    def is_complete(self, known: CachedRows) -> bool:
        """Whether nothing is left to compute."""
        return self.cache is not None and not self.cache.missing(known)


@dataclass(frozen=True)
class _Fetched:
    image: Image
    content: bytes
    human: bytes | None
    facts: ImageFacts


def _read_page(images: Sequence[Image], decode: ImageDecoder, last_try: bool) -> Page:
    read, noted, finished = list[ReadImage](), list[Image](), list[tuple[Image, CachedRows]]()
    fetched = []
    for image in images:
        try:
            fetched.append(decode.fetch(image))
        except (UnreadableImage, OSError) as error:
            if isinstance(error, OSError) and not last_try:
                raise
            noted.append(image._replace(skipped=skip_reason(error)))
    for each, known in zip(fetched, decode.find_rows(fetched), strict=True):
        noted.append(each.image._replace(sha256=each.facts.sha256))
        if decode.is_complete(known):
            finished.append((each.image, known))
            continue
        try:
            read.append(decode.decode(each, known))
        except UnreadableImage as error:
            noted[-1] = each.image._replace(skipped=str(error))
    return Page(read, finished, sorted(noted, key=lambda each: each.number))


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
    """Pictures read, on a device; `classes` are the numbers of their labels."""
    labels = [class_number(each.image.label, classes) for each in read]
    humans = [each.human for each in read if each.human is not None]
    return ImageBatch(
        torch.stack([each.decoded.values for each in read]).to(device),
        [each.decoded.digest for each in read],
        torch.tensor(labels, device=device),
        torch.stack(humans).to(device) if len(humans) == len(read) else None,
    )
