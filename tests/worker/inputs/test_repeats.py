from collections.abc import Iterator

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry
from worker.inputs.resolver import without_duplicates


def entries(*names: str) -> Iterator[ImageEntry]:
    return (ImageEntry(name, None, f"/{name}") for name in names)


def test_a_duplicate_among_very_many_names_is_refused() -> None:
    names = [f"{number}.png" for number in range(50_000)]
    assert [each.name for each in without_duplicates("set", lambda: entries(*names))] == names
    with pytest.raises(ImagesRefused, match=r"set: '7\.png' is listed twice"):
        list(without_duplicates("set", lambda: entries(*names, "7.png", "9.png", "9.png")))


@pytest.mark.parametrize("names", [[], ["a"], ["a", "A", "a "]])
def test_entries_with_different_names_are_not_refused_as_duplicates(names: list[str]) -> None:
    assert len(list(without_duplicates("set", lambda: entries(*names)))) == len(names)


def test_entries_with_different_names_of_equal_hash_are_not_refused_as_duplicates() -> None:
    class Alike(str):
        def __hash__(self) -> int:
            return 1

        __eq__ = str.__eq__

    names = [Alike("a"), Alike("b"), Alike("c")]
    assert len(list(without_duplicates("set", lambda: entries(*names)))) == 3
    with pytest.raises(ImagesRefused, match="'b' is listed twice"):
        list(without_duplicates("set", lambda: entries(*names, Alike("b"))))
