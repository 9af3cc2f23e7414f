"""Finding names that an image set gives twice, without keeping the names."""

from array import array
from collections.abc import Callable, Iterator

import numpy as np

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry


def without_duplicates(source: str, listed: Callable[[], Iterator[ImageEntry]]) -> Iterator[ImageEntry]:
    """The entries of a set. At their end raises ImagesRefused where two have one name.

    Eight bytes an entry are held, the hash of its name. Names whose hashes are alike are compared by themselves, when
    the set is gone through again.
    """
    hashes = array("q")
    for entry in listed():
        hashes.append(hash(entry.name))
        yield entry
    codes = np.frombuffer(hashes, np.int64)
    codes.sort()
    alike = set(codes[1:][codes[1:] == codes[:-1]].tolist())
    seen: set[str] = set()
    for entry in listed() if alike else ():
        if hash(entry.name) in alike:
            if entry.name in seen:
                raise ImagesRefused(reason=f"{source}: {entry.name!r} is listed twice")
            seen.add(entry.name)
