import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageEntry
from worker.planning.survey import Survey

ENTRIES = [ImageEntry(f"{number}.png", None, f"/{number}.png") for number in range(3)]


def test_the_limit_on_a_jobs_images_counts_both_image_sets() -> None:
    first = Survey(most=5)
    assert sum(len(page) for page in first.pages(ENTRIES, range(3))) == 3
    second = Survey(start=first.stop, most=5)
    with pytest.raises(ImagesRefused, match=r"more than 5 images.*SALIENCE_MAX_JOB_IMAGES"):
        list(second.pages(ENTRIES, range(3)))


def test_the_survey_leaves_out_images_that_the_job_does_not_audit() -> None:
    ((first, second),) = Survey(start=10).pages(ENTRIES, [1, -1, 0])
    assert [(each.number, each.name) for each in (first, second)] == [(11, "0.png"), (10, "2.png")]


@pytest.mark.parametrize("places", [range(2), range(4)])
def test_a_set_that_changes_while_it_is_listed_is_refused(places: range) -> None:
    with pytest.raises(ImagesRefused, match="added or removed while the set was listed"):
        list(Survey().pages(ENTRIES, places))
