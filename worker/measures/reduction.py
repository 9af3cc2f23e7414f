"""Means that are the same bits whatever stands beside the values. Pure: tensors in, tensors out."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mean_of(maps: Tensor) -> Tensor:
    """Mean of each map, (N, H, W) -> (N,), row by row: one whole sum of a lone map would be split among threads."""
    return maps.sum(2).sum(1) / (maps.shape[1] * maps.shape[2])


def mean_over(values: Sequence[Tensor]) -> Tensor:
    """The mean of equally shaped tensors in float64, summed in their order. NaN is missing; of nothing it is NaN."""
    stacked = torch.stack([value.double() for value in values])
    missing = stacked.isnan()
    return stacked.masked_fill(missing, 0).sum(0) / (~missing).sum(0)
