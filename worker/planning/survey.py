"""Surveys an image set page by page, so that a plan never holds all of its images in memory."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, zip_longest

from service.domain.job import Image
from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry

PAGE_SIZE = 10_000
MAX_IMAGES = 2_000_000
MOST_FIRST = 48
MAX_GROUPS = 50  # values of a group column


@dataclass
class Survey:
    """The facts of an image set: the number of its images, numbered from `start` on, and whether some have no label.

    `labels` has the labels of the whole set, so that the classes of labels do not depend on the sample. `first` has
    the first images, which the planner uses to check the models. `groups` has the values of each group column.
    """

    groups: Mapping[str, set[str]] = field(default_factory=dict)
    needs_human: bool = False
    start: int = 0
    most: int = MAX_IMAGES
    count: int = 0
    labels: set[str] = field(default_factory=set)
    unlabelled: bool = False
    first: list[Image] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """The last image's number plus one."""
        return self.start + self.count

    def recording(self, entries: Iterable[ImageEntry]) -> Iterator[ImageEntry]:
        """Yield all entries of the set, and record their labels."""
        for entry in entries:
            if entry.label is not None:
                self.labels.add(entry.label)
            # Not strict: images of sets without columns, such as folders, have no groups; `check_groups` refuses them.
            for values, value in zip(self.groups.values(), entry.groups, strict=False):
                if value is not None:
                    values.add(value)
            yield entry

    def check_groups(self) -> None:
        """Raise ImagesRefused for a group column without values, or with too many."""
        for name, values in self.groups.items():
            reason = ""
            if not values:
                reason = f"no image has a value in the column {name!r}; name a column of the manifest"
            elif len(values) > MAX_GROUPS:
                reason = f"the column {name!r} has {len(values):,} values, more than {MAX_GROUPS}; name another column"
            if reason:
                raise ImagesRefused(field="images.groups", reason=reason)

    def pages(self, entries: Iterable[ImageEntry], places: Iterable[int]) -> Iterator[list[Image]]:
        """Yield pages of images, numbered by their places; a negative place leaves an entry out. Raises ImagesRefused.

        `places` has one place for each entry that an earlier listing of the set had.
        """
        remaining = (self._record(entry, place) for entry, place in _paired(entries, places) if place >= 0)
        while page := list(islice(remaining, PAGE_SIZE)):
            yield page

    def _record(self, entry: ImageEntry, place: int) -> Image:
        name, label, path, human, groups = entry
        self.unlabelled |= label is None
        if human is None and self.needs_human:
            raise ImagesRefused(
                reason=f"the measure `human` needs a human map for every image, and {name!r} has none; "
                "add it to the manifest's column human_map, or remove the measure from the spec"
            )
        self.count += 1
        if self.stop > self.most:
            raise ImagesRefused(
                reason=f"the job has more than {self.most:,} images; set `limit` to fewer, "
                "or raise SALIENCE_MAX_JOB_IMAGES"
            )
        image = Image(self.start + place, name, label, path, human, groups=groups)
        if len(self.first) < MOST_FIRST:
            self.first.append(image)
        return image


def _paired(entries: Iterable[ImageEntry], places: Iterable[int]) -> Iterator[tuple[ImageEntry, int]]:
    """Yield each entry with its place. Raises ImagesRefused if there are more or fewer entries than places."""
    for entry, place in zip_longest(entries, places):
        if entry is None or place is None:
            raise ImagesRefused(reason="images were added or removed while the set was listed; submit the job again")
        yield entry, int(place)
