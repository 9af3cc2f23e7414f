"""Going through an image set once, page by page: what a plan must know of all its pictures, holding none of them."""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from service.domain.job import Image
from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry

PAGE_SIZE = 10_000
MAX_IMAGES = 2_000_000
MOST_FIRST = 16


@dataclass
class Survey:
    """What was seen of a set: how many pictures, numbered from `start` on, whether some had no label.

    `labels` are those of the whole set, so that which class each is does not depend on a sample of it. `first` are the
    first pictures, to try models with.
    """

    needs_human: bool = False
    start: int = 0
    most: int = MAX_IMAGES
    count: int = 0
    labels: set[str] = field(default_factory=set)
    unlabelled: bool = False
    first: list[Image] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """The number after the last picture's."""
        return self.start + self.count

    def recording(self, entries: Iterable[ImageEntry]) -> Iterator[ImageEntry]:
        """All entries of the set, with their labels noted."""
        for entry in entries:
            if entry.label is not None:
                self.labels.add(entry.label)
            yield entry

    def pages(self, entries: Iterable[ImageEntry], places: Iterable[int]) -> Iterator[list[Image]]:
        """The entries as pictures numbered by their places, some at a time. Raises ImagesRefused."""
        left = zip(entries, places, strict=False)
        while page := [self._record(entry, place) for entry, place in islice(left, PAGE_SIZE)]:
            yield page

    def _record(self, entry: ImageEntry, place: int) -> Image:
        name, label, path, human = entry
        self.unlabelled |= label is None
        if human is None and self.needs_human:
            raise ImagesRefused(
                reason=f"the measure `human` needs a human map for every image, and {name!r} has none; "
                "name them in the manifest's column human_map, or leave the measure out"
            )
        self.count += 1
        if self.stop > self.most:
            raise ImagesRefused(
                reason=f"the job has more than {self.most:,} images; take fewer by `limit`, "
                "or see SALIENCE_MAX_JOB_IMAGES"
            )
        image = Image(self.start + int(place), name, label, path, human)
        if len(self.first) < MOST_FIRST:
            self.first.append(image)
        return image


def sample(listed: Callable[[], Iterator[ImageEntry]], limit: int | None, seed: int) -> Iterator[ImageEntry]:
    """The entries, or `limit` of them chosen by their names and the seed, whatever else the set holds, in its order.

    The set is gone through twice: first for the least ranks, 8 bytes an entry.
    """
    if limit is None:
        yield from listed()
        return
    ranks = np.frombuffer(array("Q", (_rank(entry, seed) for entry in listed())), dtype=np.uint64)
    if limit >= len(ranks):
        yield from listed()
        return
    last = int(np.partition(ranks, limit - 1)[limit - 1])
    yield from islice((entry for entry in listed() if _rank(entry, seed) <= last), limit)


def seeded_positions(entries: Iterable[ImageEntry], seed: int) -> NDArray[np.int64]:
    """Where each entry stands in the order that the seed gives them, which their names alone decide.

    The first n of that order are the sample of n.
    """
    ranks = np.frombuffer(array("Q", (_rank(entry, seed) for entry in entries)), dtype=np.uint64)
    places = np.empty(len(ranks), np.int64)
    places[np.argsort(ranks, kind="stable")] = np.arange(len(ranks))
    return places


def _rank(entry: ImageEntry, seed: int) -> int:
    digest = hashlib.sha256(f"sample:{seed}:{entry.name}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
