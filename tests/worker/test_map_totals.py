import numpy as np
import torch

from worker.map_totals import MapTotals, mean_map

MAPS = torch.rand(6, 5, 4, generator=torch.Generator().manual_seed(0))


def sums(*pages: torch.Tensor) -> list[bytes]:
    totals = MapTotals()
    for page in pages:
        totals.add([page, 1 - page])
    return [each.data for each in totals.rows(0, False)]


def test_a_mean_map_is_the_mean_of_the_maps() -> None:
    totals = MapTotals()
    totals.add([MAPS])
    (row,) = totals.rows(2, True)
    assert (row.cohort, row.run, row.out_of_set, row.count) == (2, 0, True, 6)
    assert np.allclose(mean_map(row, (5, 4)), MAPS.double().mean(0), atol=1e-9)


def test_neither_order_nor_pages_change_a_bit() -> None:
    assert sums(MAPS) == sums(MAPS[4:], MAPS[:1], MAPS[1:4]) == sums(MAPS.flip(0))
