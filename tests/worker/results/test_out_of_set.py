"""Whole audits with a second, out-of-set image set."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.audits import audit, failure, results, without_identity
from tests.support.image_sets import as_zip
from tests.support.jobs import AuditInputs, write_image
from worker.runner import Runner


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Seven images that are out of set for all models, in a folder whose name is no class."""
    for number in range(7):
        write_image(tmp_path / "scenes" / "outdoors" / f"{number}.png", np.random.default_rng(100 + number), side=18)
    return tmp_path / "scenes"


def body(ingredients: AuditInputs, scenes: Path, **changes: Any) -> dict[str, Any]:
    return ingredients.body(**{"out_of_set": {"uri": scenes.as_uri()}, "measures": ["entropy", "stability"], **changes})


def test_results_compare_both_image_sets_for_the_cohort_and_each_run(
    runner: Runner, ingredients: AuditInputs, scenes: Path
) -> None:
    spec = ingredients.spec(**body(ingredients, scenes))
    found = results(runner.store, audit(runner, spec))
    compared = found["cohorts"]["plain"]["out_of_set"]
    assert (compared["entropy"]["images"]["n"], compared["entropy"]["out_of_set"]["n"]) == (24, 14)
    assert compared["entropy"]["images"]["mean"] == found["cohorts"]["plain"]["measures"]["entropy"]["mean"]
    assert 0.5 <= compared["top_probability"]["out_of_set"]["mean"] <= 1
    assert 0 < compared["entropy"]["kolmogorov_smirnov"] <= 1
    assert set(compared["mean_map"]) == {"ssim", "pearson", "mse", "iou20"}
    assert len(compared["runs"]) == 2
    message = found["provenance"]
    assert (message["images"]["read"], message["out_of_set"]["read"]) == (12, 7)
    assert message["images"]["sha256"] != message["out_of_set"]["sha256"]


def test_an_archive_as_second_image_set_gives_the_numbers_of_its_folder(
    runner: Runner, ingredients: AuditInputs, scenes: Path
) -> None:
    packed = as_zip(scenes, scenes.parent)
    found = [
        results(runner.store, audit(runner, ingredients.spec(**body(ingredients, scenes, out_of_set={"uri": uri}))))
        for uri in (scenes.as_uri(), packed.as_uri())
    ]
    assert found[1]["provenance"]["out_of_set"]["read"] == 7
    assert found[0]["cohorts"] == found[1]["cohorts"]


def test_the_second_image_set_does_not_change_numbers_of_the_first(
    runner: Runner, ingredients: AuditInputs, scenes: Path
) -> None:
    alone = results(runner.store, audit(runner, ingredients.spec()))
    beside = results(runner.store, audit(runner, ingredients.spec(out_of_set={"uri": scenes.as_uri()})))
    del beside["cohorts"]["plain"]["out_of_set"], beside["provenance"]["out_of_set"]
    assert without_identity(beside) == without_identity(alone)


def test_an_image_set_compared_with_itself_has_no_difference(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(**body(ingredients, ingredients.images))
    compared = results(runner.store, audit(runner, spec))["cohorts"]["plain"]["out_of_set"]
    assert compared["entropy"]["difference"]["mean"] == pytest.approx(0, abs=1e-3)
    assert compared["top_probability"]["difference"]["mean"] == pytest.approx(0, abs=1e-6)
    assert compared["mean_map"]["ssim"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shard_size", [1, 5])
def test_comparisons_of_image_sets_do_not_depend_on_the_shard_size(
    runner: Runner, ingredients: AuditInputs, scenes: Path, shard_size: int
) -> None:
    specs = [ingredients.spec(**body(ingredients, scenes, shard_size=size)) for size in (100, shard_size)]
    found = [without_identity(results(runner.store, audit(runner, spec))) for spec in specs]
    assert found[0] == found[1]


def test_each_image_set_has_its_own_limit_on_unreadable_images(
    runner: Runner, ingredients: AuditInputs, scenes: Path
) -> None:
    (scenes / "broken.png").write_bytes(b"not an image")
    error = failure(audit(runner, ingredients.spec(**body(ingredients, scenes))))
    assert (error["type"], error["field"]) == ("too-many-skipped", "out_of_set.max_skipped")
    lenient = {"uri": scenes.as_uri(), "max_skipped": 0.5}
    found = results(runner.store, audit(runner, ingredients.spec(**body(ingredients, scenes, out_of_set=lenient))))
    assert [(each["image"], each["set"]) for each in found["skipped"]] == [("broken.png", "out_of_set")]
    assert found["provenance"]["out_of_set"]["skipped"] == 1


def test_the_api_lists_images_of_the_second_set_with_their_numbers(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs, scenes: Path
) -> None:
    job = api.post("/v1/jobs", json=body(ingredients, scenes)).json()
    while runner.work():
        pass
    items = api.get(job["links"]["images"]).json()["items"]
    assert [item["set"] for item in items] == ["images"] * 12 + ["out_of_set"] * 7
    own = items[-1]["cohorts"]["plain"]
    assert "entropy" in own["runs"][0]
    assert own["across"] == {}
    lines = api.get(job["links"]["images"], headers={"Accept": "text/csv"}).text.splitlines()
    assert len(lines) == 1 + 12 * 3 + 7 * 2
