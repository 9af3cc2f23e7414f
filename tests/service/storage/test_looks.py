from itertools import pairwise

import pytest

from service.storage.interim import MIN_STEP, next_interim_look


def interim_looks(total: int) -> list[int]:
    seen = [0]
    while seen[-1] < total:
        seen.append(next_interim_look(seen[-1], total))
    return seen[1:]


def test_looks_follow_after_one_step_and_later_after_a_sixteenth_of_the_images_seen() -> None:
    found = interim_looks(1_000_000)
    assert found[:3] == [MIN_STEP, 2 * MIN_STEP, 3 * MIN_STEP]
    assert all(after - before <= max(MIN_STEP, before / 16) for before, after in pairwise(found))
    assert len(found) < 200


@pytest.mark.parametrize("total", [1, MIN_STEP, MIN_STEP + 1, 2_000])
def test_the_last_look_covers_all_images(total: int) -> None:
    assert interim_looks(total)[-1] == total
