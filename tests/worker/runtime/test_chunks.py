from typing import Any

import pytest
import torch

from service.spec.model import JobSpec
from worker.runtime.chunks import MAX_CHUNK, chunk_size

CPU = torch.device("cpu")


def spec(measures: list[str], **changes: Any) -> JobSpec:
    run = {"uri": "file:///m"}
    body = {"cohorts": [{"name": "c", "runs": [run, run]}], "images": {"uri": "file:///i"}, "measures": measures}
    return JobSpec.model_validate({**body, **changes})


def test_the_22_passes_of_an_image_fill_two_chunks() -> None:
    assert chunk_size(spec(["entropy", "noise", "geometry", "stability", "degradation"]), CPU) == 11


def test_the_clean_picture_alone_is_a_chunk_of_one() -> None:
    assert chunk_size(spec(["entropy", "stability"]), CPU) == 1


@pytest.mark.parametrize("measures", [["degradation"], ["noise"], ["noise", "degradation"], ["geometry"]])
@pytest.mark.parametrize("curve", [[], [0.1, 0.5]])
def test_no_chunk_is_larger_than_the_device_likes_or_half_empty(measures: list[str], curve: list[float]) -> None:
    request = spec(measures, options={"degradation": {"curve": curve}})
    size = chunk_size(request, CPU)
    assert 1 <= size <= MAX_CHUNK["cpu"]
    assert size < 2 * request.passes()
