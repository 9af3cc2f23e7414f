from typing import Any

import pytest

from service.domain.variants import (
    background_of,
    canonical_name,
    heading_of,
    image_cohort,
    sample_variants,
    value_column,
    with_only_variants,
)
from service.errors import FilterInvalid
from service.spec.model import JobSpec

RUNS = [{"uri": "file:///1.pt"}, {"uri": "file:///2.pt"}]


def spec(**changes: Any) -> JobSpec:
    return JobSpec.model_validate({"cohorts": [{"name": "c", "runs": RUNS}], "images": {"uri": "file:///i"}, **changes})


def test_the_maps_of_a_sample_show_one_variant_per_measure() -> None:
    assert sample_variants(spec()) == ["clean", "noise:0.25", "hflip", "background", "object"]
    assert sample_variants(spec(measures=["entropy", "stability"])) == ["clean"]
    turned = spec(measures=["geometry"], options={"geometry": {"transforms": ["rot90", "vflip"]}})
    assert sample_variants(turned) == ["clean", "rot90"]


@pytest.mark.parametrize(
    ("variant", "passes"),
    [("clean", 1), ("noise:0.2", 2), ("hflip", 2), ("rotate:15", 2), ("degraded", 3), ("object", 3), ("most:0.25", 5)],
)
def test_a_spec_that_is_reduced_to_one_variant_computes_no_needless_variants(variant: str, passes: int) -> None:
    own = with_only_variants(spec(), [canonical_name(variant)])
    assert own.passes() == passes
    assert (own.seed, own.salience, own.cohorts) == (spec().seed, spec().salience, spec().cohorts)


def test_different_spellings_of_a_variant_have_one_canonical_name() -> None:
    assert canonical_name("noise:.20") == canonical_name("noise:0.2") == "noise:0.2"
    assert canonical_name("degraded") == "background"


@pytest.mark.parametrize("variant", ["twist", "noise:7", "noise:", "noise:much", "most:1", "shift:16", ""])
def test_an_invalid_variant_is_refused_with_the_valid_names(variant: str) -> None:
    with pytest.raises(FilterInvalid, match="write clean, noise:AMOUNT") as caught:
        with_only_variants(spec(), [canonical_name(variant)])
    assert caught.value.problems()[0].field == "query.variant"


def test_a_noise_variant_uses_the_kind_of_noise_of_the_job() -> None:
    gaussian = with_only_variants(spec(options={"noise": {"kind": "gaussian"}}), ["noise:2.0"])
    assert gaussian.options.noise.levels == [2.0]


def test_each_variant_is_shown_with_the_similarity_of_its_map_to_the_clean_map() -> None:
    columns = [value_column(each, spec().measures) for each in sample_variants(spec())]
    assert columns == [
        None,
        "noise.0.25.ssim",
        "geometry.hflip.ssim",
        "degradation.background.ssim",
        "degradation.object.ssim",
    ]


def test_cohorts_with_equal_preprocessing_share_their_stored_images() -> None:
    small = {"preprocessing": {"size": [64, 64]}}
    cohorts = [{"name": n, "runs": RUNS, "model": m} for n, m in (("a", {}), ("b", small), ("c", {}), ("d", small))]
    assert [image_cohort(spec(cohorts=cohorts), n) for n in range(4)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("variant", "heading", "background"),
    [
        ("clean", "clean", "image"),
        ("noise:0.2", "noise 0.2", "image"),
        ("background", "background blurred", "image"),
        ("hflip", "hflip", "mirrored image"),
        ("shift:16,0", "shift 16,0", "nothing"),
    ],
)
def test_a_variant_has_a_heading_and_a_description_of_the_image_behind_its_map(
    variant: str, heading: str, background: str
) -> None:
    assert (heading_of(variant), background_of(variant)) == (heading, background)
