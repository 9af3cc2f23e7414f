import numpy as np
import torch

from worker.audit.map_sums import ClassSums, MapSums, mean_map

MAPS = torch.rand(6, 5, 4, generator=torch.Generator().manual_seed(0))


def sums(*pages: torch.Tensor) -> list[bytes]:
    totals = MapSums()
    for page in pages:
        totals.add([page, 1 - page])
    return [each.data for each in totals.rows(0, False)]


def test_a_mean_map_agrees_with_torchs_mean_of_the_maps() -> None:
    totals = MapSums()
    totals.add([MAPS])
    (row,) = totals.rows(2, True)
    assert (row.cohort, row.run, row.out_of_set, row.count) == (2, 0, True, 6)
    assert np.allclose(mean_map(row, (5, 4)), MAPS.double().mean(0), atol=1e-9)


def test_sums_of_maps_do_not_depend_on_the_order_and_the_pages_of_images() -> None:
    assert sums(MAPS) == sums(MAPS[4:], MAPS[:1], MAPS[1:4]) == sums(MAPS.flip(0))


def test_downscaled_mean_maps_are_stored_for_all_images_and_for_each_class() -> None:
    maps, labels = torch.rand(6, 32, 8, generator=torch.Generator().manual_seed(1)), ["a", "b", "a", None, "c", "a"]
    totals = ClassSums(1, {"a", "b"})
    totals.add(labels[:4], [maps[:4], 1 - maps[:4]])
    totals.add(labels[4:], [maps[4:], 1 - maps[4:]])
    rows = {each.label: each for each in totals.rows()}
    assert rows.keys() == {"", "a", "b"}
    assert [rows[name].count for name in ("", "a", "b")] == [12, 6, 2]
    assert np.allclose(rows["b"].mean((32, 8)), np.full((16, 8), 0.5), atol=1e-6)
    only = ClassSums(0, {"a"})
    only.add(labels, [maps])
    small = maps[[0, 2, 5]].double().mean(0).view(16, 2, 8).mean(1)
    (found,) = [each for each in only.rows() if each.label == "a"]
    assert np.allclose(found.mean((32, 8)), small, atol=1e-6)
