import pytest
import torch

from worker.runtime.batch_size import MAX_IMAGES, BatchSize, is_out_of_memory

CPU = torch.device("cpu")


def test_as_many_pictures_as_asked_or_as_fit() -> None:
    assert BatchSize(CPU, 64).images(22, (224, 224)) == 64
    assert BatchSize(CPU).images(22, (32, 32)) == MAX_IMAGES["cpu"]
    assert BatchSize(CPU).images(10_000, (4096, 4096)) == 1


def test_what_did_not_fit_is_halved_and_remembered() -> None:
    size = BatchSize(CPU, 6)
    assert size.halve(6)
    assert size.images(22, (32, 32)) == 3
    assert size.halve(3)
    assert size.images(22, (32, 32)) == 1
    assert not size.halve(1)


def test_torchs_lack_of_memory_is_told_from_other_trouble() -> None:
    with pytest.raises(RuntimeError) as lack:
        torch.empty(2**58)
    assert is_out_of_memory(lack.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
