"""Reading a shard's pictures ahead of the work on them, in a thread of their own."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from service.domain import Image
from service.spec import Preprocessing
from worker.batch import Batch
from worker.images.read import Picture, Unreadable, read_picture


@dataclass(frozen=True)
class Read:
    """A picture of a job, what was read of it, and where people look on it, if the set has that."""

    image: Image
    picture: Picture
    human: torch.Tensor | None


@dataclass(frozen=True)
class Page:
    """Some of a shard's pictures: those read, and what there is to note of each."""

    read: Sequence[Read]
    noted: Sequence[Image]


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
    """How references become pictures: where their bytes come from, and what is made of these."""

    read: Callable[[str], bytes]
    preprocessing: Preprocessing

    def picture(self, reference: str) -> Picture:
        """A picture. Raises Unreadable, and OSError where it may be readable later."""
        return read_picture(self.read(reference), self.preprocessing)

    def human(self, reference: str) -> torch.Tensor:
        """A grey picture of where people look, (H, W) in [0, 1], cut as the picture it is of. Raises as `picture`."""
        try:
            return self.picture(reference).values[0]
        except Unreadable as error:
            raise Unreadable(f"its human map {reference}: {error}") from error


def _read_page(images: Sequence[Image], decode: Decoding, last_try: bool) -> Page:
    read, noted = [], []
    for image in images:
        try:
            picture = decode.picture(image.path)
            human = decode.human(image.human) if image.human else None
        except (Unreadable, OSError) as error:
            if isinstance(error, OSError) and not last_try:
                raise
            noted.append(replace(image, skipped=str(error)))
            continue
        noted.append(replace(image, sha256=picture.digest))
        read.append(Read(image, picture, human))
    return Page(read, noted)


def batch_of(read: Sequence[Read], classes: dict[str, int], device: torch.device) -> Batch:
    """Pictures read, on a device; `classes` are the numbers of their labels."""
    labels = [-1 if each.image.label is None else classes.get(each.image.label, -1) for each in read]
    humans = [each.human for each in read if each.human is not None]
    return Batch(
        torch.stack([each.picture.values for each in read]).to(device),
        [each.picture.digest for each in read],
        torch.tensor(labels, device=device),
        torch.stack(humans).to(device) if len(humans) == len(read) else None,
    )
