"""Means whose bits do not depend on the other maps in a batch. Pure: tensors in, tensors out."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mean_of(maps: Tensor) -> Tensor:
    """Return the mean of each map, (N, H, W) -> (N,).

    Rows are summed first, because torch would split one sum over a single map among threads.
    """
    return maps.sum(2).sum(1) / (maps.shape[1] * maps.shape[2])


def mean_over(values: Sequence[Tensor]) -> Tensor:
    """Return the elementwise mean of tensors of one shape, in float64, summed in their order.

    NaN counts as missing; an element that is missing in all tensors is NaN.
    """
    stacked = torch.stack([value.double() for value in values])
    missing = stacked.isnan()
    return stacked.masked_fill(missing, 0).sum(0) / (~missing).sum(0)
