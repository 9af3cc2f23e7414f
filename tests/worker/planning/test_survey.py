from itertools import count

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry
from worker.planning.survey import Survey


def test_the_limit_of_images_counts_both_image_sets_of_a_job() -> None:
    entries = [ImageEntry(f"{number}.png", None, f"/{number}.png") for number in range(3)]
    first = Survey(most=5)
    assert sum(len(page) for page in first.pages(entries, count())) == 3
    second = Survey(start=first.stop, most=5)
    with pytest.raises(ImagesRefused, match=r"more than 5 images.*SALIENCE_MAX_JOB_IMAGES"):
        list(second.pages(entries, count()))
