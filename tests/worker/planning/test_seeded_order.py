"""Compares the seeded order and the partners of images with a slow twin, written close to the definition."""

import hashlib
import random
import unicodedata

import pytest

from service.inputs.image_sets.listing import ImageEntry
from worker.planning.seeded_order import SeededOrder, seeded_order

# Two of the names are as other systems write them: one has a decomposed letter, the other a backslash as separator.
NAMES = [*(f"real/{number}.png" for number in range(40)), "real/gru\u0308n.png", "fake\\0.png", "0.png"]
LABELS = ["a", "b", None]
ENTRIES = [ImageEntry(name, LABELS[number % 3], f"/{name}") for number, name in enumerate(NAMES)]
SEEDED = pytest.mark.parametrize("seed", [0, 7])


def slow_order(seed: int) -> list[ImageEntry]:
    """Return the images in the seeded order."""

    def digest(entry: ImageEntry) -> str:
        composed = unicodedata.normalize("NFC", entry.name).replace("\\", "/")
        return hashlib.sha256(f"order:{seed}:{composed}".encode()).hexdigest()

    return sorted(ENTRIES, key=digest)


def slow_partners(audited: list[ImageEntry]) -> dict[str, str | None]:
    """Return the name of each image's partner: the image of the same label that comes before the image in `audited`."""
    found: dict[str, str | None] = {}
    for position, entry in enumerate(audited):
        before = [each.name for each in audited[:position] if each.label == entry.label]
        found[entry.name] = before[-1] if before else None
    return found


def partners_by_name(entries: list[ImageEntry], order: SeededOrder) -> dict[str, str | None]:
    names = {int(place): entry.name for place, entry in zip(order.places, entries, strict=True)}
    return {
        entry.name: names[int(partner)] if partner >= 0 else None
        for entry, place, partner in zip(entries, order.places, order.partners, strict=True)
        if place >= 0
    }


@SEEDED
def test_the_seeded_order_sorts_images_by_the_digest_of_seed_and_name(seed: int) -> None:
    places = seeded_order(ENTRIES, seed, None, by_label=False).places
    assert sorted(ENTRIES, key=dict(zip(ENTRIES, places, strict=True)).__getitem__) == slow_order(seed)


@SEEDED
def test_images_of_one_label_have_neighbouring_places_in_a_seeded_order_by_label(seed: int) -> None:
    places = seeded_order(ENTRIES, seed, None, by_label=True).places
    found = sorted(ENTRIES, key=dict(zip(ENTRIES, places, strict=True)).__getitem__)
    assert found == [entry for label in (None, "a", "b") for entry in slow_order(seed) if entry.label == label]


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize("limit", [1, 5, len(NAMES), 99])
def test_a_limited_job_audits_the_first_images_of_the_seeded_order(limit: int, by_label: bool) -> None:
    places = seeded_order(ENTRIES, 3, limit, by_label=by_label).places
    sampled = [entry for entry, place in zip(ENTRIES, places, strict=True) if place >= 0]
    assert {entry.name for entry in sampled} == {entry.name for entry in slow_order(3)[:limit]}
    assert sorted(places[places >= 0]) == list(range(min(limit, len(NAMES))))


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize("limit", [None, 9])
def test_partners_do_not_depend_on_the_order_in_which_images_are_listed(limit: int | None, by_label: bool) -> None:
    shuffled = ENTRIES.copy()
    random.Random(0).shuffle(shuffled)
    for entries in (ENTRIES, shuffled):
        found = partners_by_name(entries, seeded_order(entries, 5, limit, by_label=by_label))
        assert found == slow_partners(slow_order(5)[:limit])


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_partners_elsewhere_counts_the_images_whose_partner_is_in_another_slice(size: int, by_label: bool) -> None:
    order = seeded_order(ENTRIES, 5, None, by_label=by_label)
    pairs = [(int(p), int(q)) for p, q in zip(order.places, order.partners, strict=True) if q >= 0]
    starts = {place: place - place % size for place, _ in pairs}
    assert order.partners_elsewhere(size) == sum(partner < starts[place] for place, partner in pairs)
    assert len(pairs) == len(NAMES) - len(LABELS)
