import hashlib
import unicodedata
from collections.abc import Iterator
from itertools import count

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry
from worker.planning.survey import Survey, sample, seeded_positions

# As a tar file from another system may write them: a decomposed letter, and a backslash between folders.
NAMES = [*(f"real/{number}.png" for number in range(40)), "real/gru\u0308n.png", "fake\\0.png", "0.png"]
ENTRIES = [ImageEntry(name, None, f"/{name}") for name in NAMES]


def slow_order(seed: int) -> list[str]:
    """The names in the seeded order, by the definition."""

    def digest(name: str) -> str:
        composed = unicodedata.normalize("NFC", name).replace("\\", "/")
        return hashlib.sha256(f"order:{seed}:{composed}".encode()).hexdigest()

    return sorted(NAMES, key=digest)


def test_the_limit_of_images_counts_both_image_sets_of_a_job() -> None:
    entries = [ImageEntry(f"{number}.png", None, f"/{number}.png") for number in range(3)]
    first = Survey(most=5)
    assert sum(len(page) for page in first.pages(entries, count())) == 3
    second = Survey(start=first.stop, most=5)
    with pytest.raises(ImagesRefused, match=r"more than 5 images.*SALIENCE_MAX_JOB_IMAGES"):
        list(second.pages(entries, count()))


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seeded_order_sorts_images_by_the_digest_of_seed_and_name(seed: int) -> None:
    found = sorted(zip(seeded_positions(ENTRIES, seed), NAMES, strict=True))
    assert [name for _, name in found] == slow_order(seed)


@pytest.mark.parametrize("limit", [1, 5, len(NAMES)])
def test_a_sample_is_the_beginning_of_the_seeded_order(limit: int) -> None:
    def listed() -> Iterator[ImageEntry]:
        return iter(ENTRIES)

    assert {entry.name for entry in sample(listed, limit, 3)} == set(slow_order(3)[:limit])
