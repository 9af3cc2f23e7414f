"""Reading a shard's pictures ahead of the work on them, in a thread of their own."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from service.domain import Image
from service.redaction import redacted
from service.references import parse
from service.spec import Preprocessing
from worker.batch import Batch
from worker.fetching.opening import reason_of
from worker.images.read import Picture, Unreadable, read_picture
from worker.keys import PictureFacts, class_number
from worker.reuse import Known, Memory


@dataclass(frozen=True)
class Read:
    """A picture of a job, what was read of it, and where people look on it, if the set has that.

    `known` are numbers that need not be computed, `facts` what others are known by.
    """

    image: Image
    picture: Picture
    human: torch.Tensor | None
    facts: PictureFacts
    known: Known


@dataclass(frozen=True)
class Page:
    """Some of a shard's pictures: those to be scored, those of which all is known, what there is to note of each."""

    read: Sequence[Read]
    known: Sequence[tuple[Image, Known]]
    noted: Sequence[Image]

    @property
    def all_known(self) -> list[Known]:
        """What is known of each."""
        return [*(known for _, known in self.known), *(each.known for each in self.read)]


def read_ahead(
    images: Sequence[Image], size: Callable[[], int], decode: "Decoding", last_try: bool = False
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
class Decoding:
    """How references become pictures: where their bytes come from, what is made of these, what is known of them."""

    read: Callable[[str], bytes]
    preprocessing: Preprocessing
    memory: Memory | None = None

    def fetch(self, image: Image) -> "_Fetched":
        """A picture's bytes. Raises Unreadable, and OSError where they may be readable later."""
        content = self.read(image.path)
        human = None
        if image.human:
            with _of_human_map(image):
                human = self.read(image.human)
        facts = PictureFacts(_digest(content), None if human is None else _digest(human), image.label)
        return _Fetched(image, content, human, facts)

    def decode(self, fetched: "_Fetched", known: Known) -> Read:
        """The picture, and a grey one of where people look, (H, W) in [0, 1], cut as it. Raises Unreadable."""
        picture, human = read_picture(fetched.content, self.preprocessing), None
        if fetched.human is not None:
            with _of_human_map(fetched.image):
                human = read_picture(fetched.human, self.preprocessing).values[0]
        return Read(fetched.image, picture, human, fetched.facts, known)

    def look(self, fetched: Sequence["_Fetched"]) -> Sequence[Known]:
        """What is known of some pictures."""
        return self.memory.look([each.facts for each in fetched]) if self.memory else [Known() for _ in fetched]

    def is_known(self, known: Known) -> bool:
        """Whether nothing is left to compute."""
        return self.memory is not None and not self.memory.wanted(known)


@dataclass(frozen=True)
class _Fetched:
    image: Image
    content: bytes
    human: bytes | None
    facts: PictureFacts


def _read_page(images: Sequence[Image], decode: Decoding, last_try: bool) -> Page:
    read, noted, finished = list[Read](), list[Image](), list[tuple[Image, Known]]()
    fetched = []
    for image in images:
        try:
            fetched.append(decode.fetch(image))
        except (Unreadable, OSError) as error:
            if isinstance(error, OSError) and not last_try:
                raise
            noted.append(image._replace(skipped=reason_of(error)))
    for each, known in zip(fetched, decode.look(fetched), strict=True):
        noted.append(each.image._replace(sha256=each.facts.sha256))
        if decode.is_known(known):
            finished.append((each.image, known))
            continue
        try:
            read.append(decode.decode(each, known))
        except Unreadable as error:
            noted[-1] = each.image._replace(skipped=str(error))
    return Page(read, finished, sorted(noted, key=lambda each: each.number))


@contextmanager
def _of_human_map(image: Image) -> Iterator[None]:
    try:
        yield
    except Unreadable as error:
        called = "" if image.human is None or parse(image.human) else f" {redacted(image.human)}"
        raise Unreadable(f"its human map{called}: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def batch_of(read: Sequence[Read], classes: dict[str, int], device: torch.device) -> Batch:
    """Pictures read, on a device; `classes` are the numbers of their labels."""
    labels = [class_number(each.image.label, classes) for each in read]
    humans = [each.human for each in read if each.human is not None]
    return Batch(
        torch.stack([each.picture.values for each in read]).to(device),
        [each.picture.digest for each in read],
        torch.tensor(labels, device=device),
        torch.stack(humans).to(device) if len(humans) == len(read) else None,
    )
