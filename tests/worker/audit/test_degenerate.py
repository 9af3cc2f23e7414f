"""Degenerate maps have no similarity to any map, in any column of any measure."""

import pytest
import torch
from torch import Tensor

from service.spec.model import JobSpec
from worker.audit.batch import ImageBatch
from worker.audit.scoring import score_run, variant_keys
from worker.measures.explanation import Explanation
from worker.measures.similarity import similarities

SIZE = 16
# The degenerate maps: image 0 has none, image 1 the clean map, image 2 the variant's map, and image 3 both maps.
CLEAN, VARIANT = torch.tensor([False, True, False, True]), torch.tensor([False, False, True, True])
WORST = {"ssim": 0.0, "pearson": 0.0, "mse": 1.0, "iou20": 0.0}
SPEC = JobSpec.model_validate({
    "cohorts": [{"name": "c", "runs": [{"uri": "file:///1"}], "model": {"preprocessing": {"size": [SIZE, SIZE]}}}],
    "images": {"uri": "file:///i"},
    "measures": ["entropy", "noise", "geometry", "degradation", "randomisation", "human"],
    "options": {
        "noise": {"amounts": [0.1, 0.5]}, "degradation": {"curve": [0.5]}, "randomisation": {"shares": [0.5, 1.0]},
        "geometry": {"transforms": ["hflip", "shift:3,0", "rotate:20"]},
    },
})  # fmt: skip


def seen(seed: int, degenerate: Tensor) -> Explanation:
    """The maps of four images; degenerate maps are all zeros."""
    random = torch.Generator().manual_seed(seed)
    maps = torch.rand(4, SIZE, SIZE, generator=random).masked_fill(degenerate[:, None, None], 0)
    classes, probabilities = torch.zeros(4, dtype=torch.long), torch.rand(4, 2, generator=random)
    return Explanation(maps, maps, degenerate, probabilities, classes, classes)


@pytest.fixture(scope="module")
def columns() -> dict[str, Tensor]:
    clean, human = seen(0, CLEAN), torch.rand(4, SIZE, SIZE, generator=torch.Generator().manual_seed(9))
    variants = {
        measure: {name: seen(n + 1, VARIANT) for n, name in enumerate(own)}
        for measure, own in variant_keys(SPEC).items()
    }
    images = torch.zeros(4, 3, SIZE, SIZE)
    return score_run(SPEC, clean, ImageBatch(images, [], torch.zeros(4, dtype=torch.long), human), variants)


def is_similarity(name: str) -> bool:
    return name.split(".")[-1] in {"noise", "geometry", "degradation", "randomisation", "human", "gap", *WORST}


def test_an_image_with_a_degenerate_clean_map_has_no_similarity(columns: dict[str, Tensor]) -> None:
    names = [name for name in columns if is_similarity(name)]
    assert len(names) > 60
    assert [name for name in names if columns[name].isnan().tolist() != CLEAN.tolist()] == []


def test_a_variant_with_a_degenerate_map_has_the_lowest_similarity(columns: dict[str, Tensor]) -> None:
    for name in filter(is_similarity, columns):
        kind = name.rpartition(".")[2]
        if name.startswith("human"):
            continue  # the measure has no variants
        if name in (
            "degradation.most.ssim",
            "degradation.least.ssim",
        ):  # half of the unit square: the similarity falls in a line from 1 to 0
            assert columns[name][2].item() == pytest.approx(0.5)
        else:
            assert columns[name][2].item() == WORST.get(kind, 0.0), name


def test_similarities_of_maps_that_are_not_degenerate_stay_as_they_are(columns: dict[str, Tensor]) -> None:
    twin = similarities(seen(0, CLEAN).comparable, seen(1, VARIANT).comparable)
    for kind, values in twin.items():
        assert columns[f"noise.0.1.{kind}"][0].item() == values[0].item()


def test_degenerate_maps_have_no_entropy_and_no_change_of_entropy(columns: dict[str, Tensor]) -> None:
    for name in ("entropy", "entropy.spatial"):
        assert columns[name].isnan().tolist() == CLEAN.tolist()
    assert columns["noise.0.5.entropy_change"].isnan().tolist() == (CLEAN | VARIANT).tolist()


def test_outputs_of_the_model_are_known_even_if_the_map_is_degenerate(columns: dict[str, Tensor]) -> None:
    known = ["predicted", "probability", "correct", "degenerate", "noise.0.1.probability_change", "noise.0.1.flipped"]
    for name in known:
        assert not columns[name].double().isnan().any()
