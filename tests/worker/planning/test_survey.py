from itertools import count

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry
from worker.planning.survey import Survey


def test_a_job_has_so_many_images_in_all_its_sets() -> None:
    entries = [ImageEntry(f"{number}.png", None, f"/{number}.png") for number in range(3)]
    first = Survey(most=5)
    assert sum(len(page) for page in first.pages(entries, count())) == 3
    second = Survey(start=first.stop, most=5)
    with pytest.raises(ImagesRefused, match=r"more than 5 images.*SALIENCE_MAX_JOB_IMAGES"):
        list(second.pages(entries, count()))
