"""Fixtures of the tests of audits."""

import pytest
import torch

from tests.support.slow_twin import DIGESTS
from worker.audit.batch import ImageBatch


@pytest.fixture(scope="module")
def batch() -> ImageBatch:
    coarse = torch.rand(3, 3, 6, 6, generator=torch.Generator().manual_seed(5))
    return ImageBatch(coarse.repeat_interleave(4, 2).repeat_interleave(4, 3), DIGESTS, torch.tensor([0, 1, -1]))
