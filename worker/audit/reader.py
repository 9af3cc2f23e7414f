"""Reads a shard's images and their partners in a background thread, one page ahead of the audit."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from service.domain.job import Image
from worker.audit.batch import ImageBatch
from worker.audit.cache import CachedRows, ResultCache
from worker.audit.cache_keys import ImageFacts, class_number
from worker.audit.image_decoder import FetchedImage, ImageDecoder
from worker.inputs.decode import UnreadableImage

# Maps a label and an image number to the last image before that number that has the label.
FindPrevious = Callable[[str | None, int], Image | None]


@dataclass(frozen=True)
class ReadImage:
    """A decoded image, its decoded partner, its cached numbers, and what both images contribute to a cache key."""

    fetched: FetchedImage
    partner: FetchedImage | None
    known: CachedRows
    facts: ImageFacts

    @property
    def image(self) -> Image:
        """The image of the job."""
        return self.fetched.image


@dataclass(frozen=True)
class Page:
    """Some of a shard's images: those to score, and those whose numbers are all cached.

    `checked` has all images of the page with their digests, or with the reason why they were skipped.
    `partners_elsewhere` is the number of images whose partner is not in the shard.
    """

    to_score: Sequence[ReadImage]
    cached: Sequence[tuple[Image, CachedRows]]
    checked: Sequence[Image]
    partners_elsewhere: int

    @property
    def all_known(self) -> list[CachedRows]:
        """The cached rows of every readable image."""
        return [*(known for _, known in self.cached), *(each.known for each in self.to_score)]


def read_ahead(images: Sequence[Image], size: Callable[[], int], reader: "PageReader") -> Iterator[Page]:
    """Yield pages of at most `size()` images; the next page is read while the caller works on one.

    Images of one label come after each other, so that an image's partner comes right before it. Raises OSError for a
    transient error.
    """
    ordered = sorted(images, key=lambda image: (image.label or "", image.number))
    with ThreadPoolExecutor(1, "reading") as pool:
        pending: deque[Future[Page]] = deque()
        start = 0
        while start < len(ordered) or pending:
            if start < len(ordered):
                stop = start + size()
                pending.append(pool.submit(reader.read, ordered[start:stop]))
                start = stop
            if len(pending) > 1 or start >= len(ordered):
                yield pending.popleft().result()


def _find_none(_label: str | None, _before: int) -> None:
    return None


@dataclass
class PageReader:
    """Reads the images of one shard, page by page, and finds the partner of each.

    An image's partner is the last readable image before it that has the same label. `start` is the shard's lowest image
    number; `find_previous` finds images before the shard.
    """

    decoder: ImageDecoder
    start: int = 0
    cache: ResultCache | None = None
    find_previous: FindPrevious = _find_none
    _last: FetchedImage | None = None
    _before_shard: dict[str | None, FetchedImage | None] = field(default_factory=dict)

    def read(self, images: Sequence[Image]) -> Page:
        """Return the page of the shard's next images. Raises OSError for a transient error."""
        fetched, skipped = self._fetch(images)
        while True:
            partners = self._partners(fetched)
            facts = [each.facts(partner) for each, partner in zip(fetched, partners, strict=True)]
            known = self.cache.find_rows(facts) if self.cache else [CachedRows() for _ in facts]
            rest = [each for each, rows in zip(fetched, known, strict=True) if not self._is_complete(rows)]
            unreadable = self._decode(rest)
            if not unreadable:
                break
            skipped += unreadable  # the loop then finds other partners for the images after an unreadable one
            numbers = {image.number for image in unreadable}
            fetched = [each for each in fetched if each.image.number not in numbers]
        self._last = fetched[-1] if fetched else self._last
        read = [ReadImage(*each) for each in zip(fetched, partners, known, facts, strict=True)]
        return self._page(read, skipped)

    def _page(self, read: Sequence[ReadImage], skipped: Sequence[Image]) -> Page:
        to_score = [each for each in read if not self._is_complete(each.known)]
        for each in to_score:
            if each.partner:
                self.decoder.decode(each.partner)  # cannot fail: a partner is decoded already, or has cached numbers
        cached = [(each.image, each.known) for each in read if self._is_complete(each.known)]
        checked = [*skipped, *(each.image._replace(sha256=each.facts.sha256) for each in read)]
        elsewhere = sum(each.partner is not None and each.partner.image.number < self.start for each in read)
        return Page(to_score, cached, sorted(checked, key=lambda image: image.number), elsewhere)

    def _is_complete(self, known: CachedRows) -> bool:
        """Return whether all numbers of an image are cached."""
        return self.cache is not None and not self.cache.missing(known)

    def _fetch(self, images: Sequence[Image]) -> tuple[list[FetchedImage], list[Image]]:
        """Return the images whose bytes can be read, and the unreadable images with the reason in `skipped`."""
        fetched, skipped = [], []
        for image in images:
            try:
                fetched.append(self.decoder.fetch(image))
            except UnreadableImage as error:
                skipped.append(image._replace(skipped=str(error)))
        return fetched, skipped

    def _decode(self, fetched: Sequence[FetchedImage]) -> list[Image]:
        """Decode images. Return those that cannot be decoded, with the reason in `skipped`."""
        unreadable = []
        for each in fetched:
            try:
                self.decoder.decode(each)
            except UnreadableImage as error:
                unreadable.append(each.image._replace(skipped=str(error)))
        return unreadable

    def _partners(self, fetched: Sequence[FetchedImage]) -> list[FetchedImage | None]:
        """Return the partner of each image, None if it has none. The result presumes that each image can be decoded."""
        found = []
        for before, each in pairwise([self._last, *fetched]):
            assert each is not None, "only the first entry, the image before the page, may be None"
            label = each.image.label
            found.append(before if before and before.image.label == label else self._partner_before_shard(label))
        return found

    def _partner_before_shard(self, label: str | None) -> FetchedImage | None:
        """Return the last readable image before the shard that has the label, decoded; None if there is none."""
        if label not in self._before_shard:
            self._before_shard[label], image = None, self.find_previous(label, self.start)
            while image is not None:
                try:
                    found = self.decoder.fetch(image)
                    self.decoder.decode(found)
                except UnreadableImage:
                    image = self.find_previous(label, image.number)
                    continue
                self._before_shard[label] = found
                break
        return self._before_shard[label]


def make_batch(read: Sequence[ReadImage], classes: dict[str, int], device: torch.device) -> ImageBatch:
    """Return a batch of images on a device; `classes` has the class number of each label."""
    labels = [class_number(each.image.label, classes) for each in read]
    values = [each.fetched.values for each in read if each.fetched.values is not None]
    humans = [each.fetched.human_values for each in read if each.fetched.human_values is not None]
    return ImageBatch(
        torch.stack(values).to(device),
        [each.facts.sha256 for each in read],
        torch.tensor(labels, device=device),
        torch.stack(humans).to(device) if len(humans) == len(read) else None,
    )
