"""Whole audits with methods, options and measures that a spec can set beyond the defaults."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

from service.domain.job import JobState
from service.spec.model import JobSpec, Method
from tests.support.audits import audit, failure, results
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import save_archive
from worker.runner import Runner


def small(ingredients: AuditInputs, **changes: Any) -> JobSpec:
    """A spec of one run, three images and the measure entropy; `changes` replace its fields."""
    cohort = ingredients.cohort("plain", 0)
    images = {"uri": ingredients.images.as_uri(), "limit": 3}
    return ingredients.spec(**{"cohorts": [cohort], "images": images, "measures": ["entropy"], **changes})


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_gives_maps_that_are_not_degenerate(runner: Runner, ingredients: AuditInputs, method: str) -> None:
    spec = small(
        ingredients,
        salience={"method": method},
        measures=["entropy", "geometry"],
        options={"geometry": {"transforms": ["hflip"]}, "rise": {"masks": 40}, "integrated_gradients": {"steps": 4}},
    )
    found = results(runner.store, audit(runner, spec))["cohorts"]["plain"]
    assert found["measures"]["entropy"]["n"] == 3
    assert found["measures"]["entropy"]["q05"] > 0
    assert found["runs"][0]["degenerate"]["count"] == 0
    assert -1 < found["measures"]["geometry"]["parts"]["hflip"]["pearson"] < 1


def test_results_have_parts_for_gaussian_noise_rotations_scalings_and_blur_curves(
    runner: Runner, ingredients: AuditInputs
) -> None:
    options = {
        "noise": {"kind": "gaussian", "sigmas": [0.05, 0.5]},
        "geometry": {"transforms": ["rotate:20", "scale:0.75"]},
        "degradation": {"curve": [0.25, 0.5]},
    }
    spec = small(ingredients, measures=["noise", "geometry", "degradation"], options=options)
    measures = results(runner.store, audit(runner, spec))["cohorts"]["plain"]["measures"]
    assert set(measures["noise"]["parts"]) == {"0.05", "0.5"}
    assert set(measures["geometry"]["parts"]) == {"rotate:20", "scale:0.75"}
    parts = measures["degradation"]["parts"]
    shares = {f"{order}:{share}" for order in ("most", "least") for share in (0.25, 0.5)}
    assert set(parts) == {"background", "object", "gap", "most", "least", *shares}
    for order in ("most", "least"):
        one, two = (parts[f"{order}:{share}"]["mean"] for share in (0.25, 0.5))
        area = (0.25 * (1 + one) / 2 + 0.25 * (one + two) / 2) / 0.5
        assert parts[order]["mean"] == pytest.approx(area, abs=1e-6)
        assert 0 < parts[order]["probability"] < 1


def test_an_audit_compares_maps_with_human_maps(runner: Runner, ingredients: AuditInputs, tmp_path: Path) -> None:
    image = next(ingredients.images.rglob("*.png"))
    Image.fromarray(np.full((9, 9), 128, dtype=np.uint8)).save(tmp_path / "human.png")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"image,human_map\n{image},human.png\n")
    spec = small(ingredients, measures=["human"], images={"uri": manifest.as_uri()})
    human = results(runner.store, audit(runner, spec))["cohorts"]["plain"]["measures"]["human"]
    assert human["n"] == 1
    assert human["pearson"] == 0  # the human map is constant, so its correlation with any map is 0
    manifest.write_text(f"image,human_map\n{image},\n")
    error = failure(audit(runner, spec.model_copy(update={"seed": 1})))
    assert (error["type"], error["field"]) == ("images-refused", "images.uri")


@pytest.mark.parametrize(("requested", "used"), [("bfloat16", "bfloat16"), ("tf32", "float32")])
def test_results_show_the_requested_and_the_used_precision(
    runner: Runner, ingredients: AuditInputs, requested: str, used: str
) -> None:
    found = results(runner.store, audit(runner, small(ingredients, precision=requested)))["provenance"]
    assert (found["spec"]["precision"], found["precision"]) == (requested, used)


def test_gradcam_is_refused_for_a_model_without_feature_maps_and_rise_is_suggested(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIZE * SIZE, 2)).eval()
    cohort = ingredients.cohort("plain", 0)
    cohort["runs"][0]["uri"] = save_archive(flat, tmp_path / "flat.pt", SIZE).as_uri()
    error = failure(audit(runner, small(ingredients, cohorts=[cohort])))
    assert error["field"] == "salience.method"
    assert "rise" in error["detail"]
    spec = small(ingredients, cohorts=[cohort], salience={"method": "rise"}, options={"rise": {"masks": 16}})
    assert audit(runner, spec).state is JobState.SUCCEEDED
