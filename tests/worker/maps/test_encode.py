import zlib
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

from service.domain.maps import MapRequest, unpack_image
from service.spec.model import JobSpec
from worker.maps.encode import encode_image, encode_maps

NATIVES = {
    "clean": [torch.full((3, 4), 0.25), torch.full((3, 4), 0.75)],
    "hflip": [torch.ones(3, 4), torch.zeros(3, 4)],
}


def request(permanent: bool, cohort: int = 0) -> MapRequest:
    return MapRequest("j", 7, cohort, list(NATIVES), permanent)


def spec(**second: Any) -> JobSpec:
    runs = [{"uri": "file:///1.pt"}, {"uri": "file:///2.pt"}]
    cohorts = [{"name": "a", "runs": runs}, {"name": "b", "runs": runs, "model": {"preprocessing": second}}]
    return JobSpec.model_validate({"cohorts": cohorts, "images": {"uri": "file:///i"}})


def test_maps_are_stored_for_each_run_as_float16() -> None:
    clean, flipped = encode_maps(request(True), NATIVES)
    assert (clean.variant, flipped.variant, clean.image) == ("clean", "hflip", 7)
    assert np.array_equal(np.frombuffer(clean.of_run(1, (3, 4)), "<f2"), np.full(12, 0.75, "<f2"))
    assert len(zlib.decompress(flipped.data)) == 2 * 12 * 2


def test_large_maps_are_stored_on_request_but_not_with_the_sample() -> None:
    large = {"clean": [torch.rand(65, 65)]}
    assert encode_maps(request(True), large) == []
    assert len(encode_maps(request(False), large)) == 1


def test_a_sheet_has_a_row_for_the_mean_and_then_one_for_each_run() -> None:
    values = torch.rand(3, 60, 80)
    stored = encode_image(request(True), spec(), values, NATIVES)
    assert stored.sheet and stored.palette_image and stored.thumb
    sheet = Image.open(BytesIO(stored.sheet))
    assert sheet.size == (2 * 32, 3 * 24)
    levels = np.asarray(sheet.convert("L"), float) / 255
    cells = levels.reshape(3, 24, 2, 32)[:, 8:16, :, 12:20].mean((1, 3))
    assert np.allclose(cells, [[0.5, 0.5], [0.25, 1], [0.75, 0]], atol=0.03)
    assert unpack_image(stored.palette_image).width == 80
    assert Image.open(BytesIO(stored.thumb)).size == (80, 60)


def test_cohorts_with_the_same_preprocessing_store_an_image_once() -> None:
    values = torch.rand(3, 24, 24)
    same = encode_image(request(True, cohort=1), spec(), values, NATIVES)
    assert (same.palette_image, same.thumb) == (None, None)
    other = encode_image(request(True, cohort=1), spec(size=[24, 24]), values, NATIVES)
    assert other.palette_image and other.sheet
    on_demand = encode_image(request(False, cohort=1), spec(), values, NATIVES)
    assert (on_demand.cohort, on_demand.sheet) == (0, None), (
        "the image belongs to the first cohort with this preprocessing"
    )
