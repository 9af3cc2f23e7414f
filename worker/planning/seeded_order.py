"""Numbers the images of an image set in the seeded order of a job, which also gives each image its partner."""

import hashlib
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.inputs.image_sets.listing import ImageEntry

NONE = -1


@dataclass(frozen=True)
class SeededOrder:
    """The place of each listed image, which is its number in the job, and the place of its partner; both (n,).

    An image's partner is the image with the same label that comes before it in the seeded order. The first image of a
    label has the partner NONE. Images that the job does not audit have the place NONE.
    """

    places: NDArray[np.int64]
    partners: NDArray[np.int64]

    def partners_elsewhere(self, size: int) -> int:
        """Return the number of images whose partner is in another slice, if slices have `size` images."""
        paired = self.partners != NONE
        return int(np.count_nonzero(self.partners[paired] // size != self.places[paired] // size))


def seeded_order(entries: Iterable[ImageEntry], seed: int, limit: int | None, *, by_label: bool) -> SeededOrder:
    """Return the seeded order of the images of an image set, of which the job audits the first `limit`.

    With `by_label`, images of one label have neighbouring places, so that an image and its partner are neighbours. The
    order depends on names, labels and the seed alone. It uses about forty bytes per image.
    """
    ranks, codes, labels = array("Q"), array("i"), dict[str | None, int]()
    for entry in entries:
        ranks.append(_rank(entry, seed))
        codes.append(labels.setdefault(entry.label, len(labels)))
    ranked, coded = np.frombuffer(ranks, np.uint64), np.frombuffer(codes, np.int32)
    chosen = _lowest(ranked, limit)
    alphabetical = sorted(labels, key=lambda label: (label is not None, label or ""))
    position = np.argsort([labels[label] for label in alphabetical])
    grouped = chosen[np.argsort(position[coded[chosen]], kind="stable")]
    places, partners = (np.full(len(ranked), NONE, np.int64) for _ in range(2))
    places[grouped if by_label else chosen] = np.arange(len(chosen))
    same = coded[grouped[1:]] == coded[grouped[:-1]]
    partners[grouped[1:][same]] = places[grouped[:-1][same]]
    return SeededOrder(places, partners)


def _lowest(ranks: NDArray[np.uint64], limit: int | None) -> NDArray[np.int64]:
    """Return the indices of the `limit` lowest ranks, or of all ranks without a limit, in ascending order of rank."""
    if limit is None or limit >= len(ranks):
        return np.argsort(ranks, kind="stable")
    found = np.flatnonzero(ranks <= np.partition(ranks, limit - 1)[limit - 1])
    return np.asarray(found[np.argsort(ranks[found], kind="stable")][:limit])


def _rank(entry: ImageEntry, seed: int) -> int:
    """Return the first 8 bytes of SHA-256("order:<seed>:<name>"), by which the seeded order sorts images.

    Backslashes count as slashes, and decomposed letters as composed letters, since the same image can have a name with
    either on different systems.
    """
    name = unicodedata.normalize("NFC", entry.name).replace("\\", "/")
    return int.from_bytes(hashlib.sha256(f"order:{seed}:{name}".encode()).digest()[:8], "big")
