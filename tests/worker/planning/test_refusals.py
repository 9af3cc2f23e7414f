from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from service.domain.job import JobState
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.audits import audit, failure
from tests.support.jobs import SIZE, AuditInputs, write_image
from tests.support.models import TinyNet, save_archive
from worker.runner import Runner

GRAY = {"preprocessing": {"size": [SIZE, SIZE], "channels": "gray", "mean": [0.5], "std": [0.5]}}


@pytest.mark.parametrize("shard_size", [1, None])
def test_too_many_unreadable_images_fail_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, shard_size: int | None
) -> None:
    write_image(tmp_path / "good.png", np.random.default_rng(0))
    (tmp_path / "broken.png").write_bytes(b"not an image")
    spec = ingredients.spec(images={"uri": tmp_path.as_uri()}, shard_size=shard_size)
    error = failure(audit(runner, spec))
    assert (error["type"], error["field"]) == ("too-many-skipped", "images.max_skipped")
    assert "broken.png" in error["detail"]


def test_a_set_without_any_readable_image_fails_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"not an image")
    spec = ingredients.spec(images={"uri": tmp_path.as_uri(), "max_skipped": 1})
    assert "none of the images" in failure(audit(runner, spec))["detail"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"layer": "nowhere"}, "cohorts[0].model.layer", "no feature layer"),
        ({"num_classes": 9}, "cohorts[0].model.num_classes", "num_classes is 9"),
        (GRAY, "cohorts[0].model.preprocessing", "does not run on float32 inputs of [1, 24, 24]"),
        ({"outputs": {"names": ["real", "other"]}}, "cohorts[0].model.outputs.names", "synthetic"),
        ({"outputs": {"attack_class": "fake"}}, "cohorts[0].model.outputs.attack_class", "real, synthetic"),
        ({"outputs": {"order": [0, 1, 2]}}, "cohorts[0].model.outputs.order", "3 entries for 2"),
    ],
)
def test_the_error_of_a_job_names_the_field_of_the_spec_that_does_not_fit_the_model(
    runner: Runner, ingredients: AuditInputs, changes: dict[str, Any], field: str, message: str
) -> None:
    error = failure(audit(runner, ingredients.spec(cohorts=[ingredients.cohort("odd", 0, 1, **changes)])))
    assert error["field"] == field
    assert message in error["detail"]


def test_the_error_of_a_job_names_the_field_of_a_method_that_does_not_suit_the_model(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    deep = TinyNet(0)
    deep.head = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    cohort = ingredients.cohort("deep", 0)
    cohort["runs"] = [{"uri": save_archive(deep, tmp_path / "deep.pt", SIZE).as_uri()}]
    error = failure(audit(runner, ingredients.spec(cohorts=[cohort], salience={"method": "cam"})))
    assert error["field"] == "salience.method"
    assert "deep.pt has no linear layer" in error["detail"]


def test_a_checkpoint_of_another_architecture_fails_its_job_and_the_next_job_succeeds(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    torch.save({"state_dict": TinyNet(0).state_dict()}, tmp_path / "m.pth")
    model = {"architecture": "torchvision/resnet18", "num_classes": 2, "preprocessing": {"size": [SIZE, SIZE]}}
    wrong = {"name": "wrong", "model": model, "runs": [{"uri": (tmp_path / "m.pth").as_uri()}]}
    error = failure(audit(runner, ingredients.spec(cohorts=[wrong])))
    assert (error["type"], error["field"]) == ("model-refused", "cohorts[0].model.architecture")
    assert "does not fit torchvision/resnet18" in error["detail"]
    assert audit(runner, ingredients.spec()).state is JobState.SUCCEEDED


@pytest.mark.parametrize(("salience", "message"), [({"target": 7}, "class 7"), ({"target": "label"}, "label")])
def test_a_target_class_that_does_not_exist_fails_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, salience: dict[str, Any], message: str
) -> None:
    write_image(tmp_path / "unlabelled.png", np.random.default_rng(0))
    spec = ingredients.spec(salience=salience, images={"uri": tmp_path.as_uri()})
    error = failure(audit(runner, spec))
    assert error["field"] == "salience.target"
    assert message in error["detail"]


def test_a_run_with_more_classes_than_the_first_run_fails_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    odd = save_archive(TinyNet(0, width=3), tmp_path / "three.pt", SIZE)
    cohort = ingredients.cohort("odd", 0)
    cohort["runs"].append({"uri": odd.as_uri()})
    error = failure(audit(runner, ingredients.spec(cohorts=[cohort])))
    assert error["field"] == "cohorts[0].runs[1].uri"
    assert "3, but its cohort's first run has 2" in error["detail"]


def test_a_model_that_changes_after_planning_fails_the_job(
    store: Store, runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    path = save_archive(TinyNet(0), tmp_path / "m.pt", SIZE)
    cohort = {**ingredients.cohort("c", 0), "runs": [{"uri": path.as_uri()}]}
    spec = ingredients.spec(cohorts=[cohort], measures=["entropy"])
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert runner.work()
    save_archive(TinyNet(1), path, SIZE)
    while runner.work():
        pass
    assert "has changed" in failure(store.jobs.get(job))["detail"]


def test_a_model_with_outputs_that_are_not_finite_fails_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    diverged = TinyNet(9)
    torch.nn.init.constant_(diverged.get_parameter("head.weight"), float("nan"))
    cohort = ingredients.cohort("plain", 0, 1)
    cohort["runs"][1]["uri"] = save_archive(diverged, tmp_path / "diverged.pt", SIZE).as_uri()
    error = failure(audit(runner, ingredients.spec(cohorts=[cohort])))
    assert (error["type"], error["field"]) == ("model-refused", "cohorts[0].runs[1].uri")
    assert "not finite" in error["detail"]
