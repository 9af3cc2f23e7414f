from typing import Any

import pytest
import torch

from service.spec.model import JobSpec
from worker.runtime.batch_size import MAX_CHUNK, MAX_IMAGES, BatchSize, chunk_size, is_out_of_memory

CPU = torch.device("cpu")


def test_a_batch_has_the_requested_images_or_as_many_as_fit() -> None:
    assert BatchSize(CPU, 64).images(22, (224, 224)) == 64
    assert BatchSize(CPU).images(22, (32, 32)) == MAX_IMAGES["cpu"]
    assert BatchSize(CPU).images(10_000, (4096, 4096)) == 1


def test_later_batches_are_halved_after_memory_runs_out() -> None:
    size = BatchSize(CPU, 6)
    assert size.halve(6)
    assert size.images(22, (32, 32)) == 3
    assert size.halve(3)
    assert size.images(22, (32, 32)) == 1
    assert not size.halve(1)


def test_out_of_memory_errors_are_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def spec(measures: list[str], **changes: Any) -> JobSpec:
    run = {"uri": "file:///m"}
    body = {"cohorts": [{"name": "c", "runs": [run, run]}], "images": {"uri": "file:///i"}, "measures": measures}
    return JobSpec.model_validate({**body, **changes})


def test_the_default_22_passes_of_an_image_fill_two_chunks() -> None:
    assert chunk_size(spec(["entropy", "noise", "geometry", "stability", "degradation"]), CPU) == 11


def test_an_image_without_variants_is_a_chunk_of_one() -> None:
    assert chunk_size(spec(["entropy", "stability"]), CPU) == 1


@pytest.mark.parametrize("measures", [["degradation"], ["noise"], ["noise", "degradation"], ["geometry"]])
@pytest.mark.parametrize("curve", [[], [0.1, 0.5]])
def test_a_chunk_is_within_the_limit_and_more_than_half_full(measures: list[str], curve: list[float]) -> None:
    request = spec(measures, options={"degradation": {"curve": curve}})
    size = chunk_size(request, CPU)
    assert 1 <= size <= MAX_CHUNK["cpu"]
    assert size < 2 * request.passes()
