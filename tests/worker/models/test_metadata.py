"""Whole audits of models whose files declare their preprocessing and class names."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from service.artifacts.store import ArtifactStore
from service.jobs.validation.fields import InputLocator, find_problems
from service.spec.model import JobSpec, spec_digest
from tests.support.exported_models import export
from tests.support.jobs import AuditInputs
from tests.support.models import TinyNet
from tests.support.onnx_models import save
from tests.support.pretrained import SIDE, make_vit, save_pretrained
from worker.runner import Runner


def audit(runner: Runner, ingredients: AuditInputs, path: Path, model: dict[str, Any], **changes: Any) -> Any:
    """Run a job to its end. Return the job and its results, None if it failed."""
    cohort = {"name": "own", "model": model, "runs": [{"uri": path.as_uri()}]}
    spec = ingredients.spec(cohorts=[cohort], measures=["entropy"], **changes)
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    while runner.work():
        pass
    found = runner.store.jobs.summary(job)
    return runner.store.jobs.get(job), json.loads(found) if found else None


def test_a_model_folder_of_transformers_is_audited_with_the_preprocessing_it_declares(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    folder = save_pretrained(make_vit(("synthetic", "real")), tmp_path / "vit", image_std=[0.25] * 3)
    job, results = audit(runner, ingredients, folder, {})
    preprocessing = job.spec.cohorts[0].model.preprocessing
    assert (preprocessing.size, preprocessing.std) == ((SIDE, SIDE), (0.25, 0.25, 0.25))
    assert results["provenance"]["spec"]["cohorts"][0]["model"]["preprocessing"]["size"] == [SIDE, SIDE]
    assert results["provenance"]["classes_by"] == {"own": "the model's own names"}
    assert job.plan is not None
    assert job.plan["cohorts"][0]["classes"] == {"synthetic": 0, "real": 1}
    assert results["provenance"]["layers"]["own"] == "vit.layers.1.layernorm_before"


def test_the_spec_takes_precedence_over_the_models_files(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    folder = save_pretrained(make_vit(("synthetic", "real")), tmp_path / "vit", image_std=[0.25] * 3)
    job, _ = audit(runner, ingredients, folder, {"preprocessing": {"std": [0.5, 0.5, 0.5]}})
    preprocessing = job.spec.cohorts[0].model.preprocessing
    assert (preprocessing.size, preprocessing.std) == ((SIDE, SIDE), (0.5, 0.5, 0.5))


def test_labels_outside_the_models_classes_fail_the_job(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    job, _ = audit(runner, ingredients, save_pretrained(make_vit(), tmp_path / "vit"), {})
    assert job.error is not None
    assert job.error["field"] == "cohorts[0].model.outputs"


def test_an_exported_model_declares_its_input_size(runner: Runner, ingredients: AuditInputs, tmp_path: Path) -> None:
    job, results = audit(runner, ingredients, export(TinyNet(0), tmp_path / "m.pt2", 1), {})
    assert job.spec.cohorts[0].model.preprocessing.size == (16, 16)
    assert results["cohorts"]["own"]["measures"]["entropy"]["n"] == 12


def test_a_job_fails_if_a_transformation_does_not_fit_the_input_size_that_the_model_declares(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    path = export(TinyNet(0), tmp_path / "m.pt2")
    cohort: dict[str, Any] = {"name": "own", "runs": [{"uri": path.as_uri()}]}
    options = {"geometry": {"transforms": ["shift:20,0"]}}
    spec = ingredients.spec(cohorts=[cohort], measures=["geometry"], options=options)
    assert refused(runner, spec) == "options.geometry.transforms[0]"
    cohort["model"] = {"preprocessing": {"size": [24, 24]}}
    assert refused(runner, ingredients.spec(cohorts=[cohort])) == "cohorts[0].model.preprocessing.size"


def refused(runner: Runner, spec: JobSpec) -> str:
    """Return the field that is named in the error of a job whose plan is refused."""
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert runner.work()
    error = runner.store.jobs.get(job).error
    assert error is not None
    return str(error["field"])


def test_an_onnx_model_is_explained_by_rise_and_other_methods_are_refused_at_once(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    path = save(tmp_path / "model")
    salience = {"method": "rise"}
    _, results = audit(runner, ingredients, path, {}, salience=salience, options={"rise": {"masks": 8, "cells": 2}})
    assert results["cohorts"]["own"]["measures"]["entropy"]["n"] == 12
    cohort = {"name": "c", "model": {"layer": "features"}, "runs": [{"uri": path.as_uri()}]}
    spec = ingredients.spec(cohorts=[cohort], measures=["entropy", "randomisation"])
    found = {
        each.field: each.detail for each in find_problems(spec, InputLocator((Path("/"),), ArtifactStore("/nowhere")))
    }
    assert list(found) == ["salience.method", "cohorts[0].model.layer", "measures"]
    assert "use rise" in found["salience.method"]


def test_an_uploaded_model_is_audited(runner: Runner, ingredients: AuditInputs) -> None:
    content = ingredients.models[0].read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    target = Path(runner.context.inputs.artifacts.location, digest[:2], digest)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    cohort = {**ingredients.cohort("c", 0), "runs": [{"uri": f"artifact:sha256:{digest}"}]}
    spec = ingredients.spec(cohorts=[cohort])
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    while runner.work():
        pass
    results = json.loads(runner.store.jobs.summary(job) or "{}")
    assert results["provenance"]["models"] == {f"artifact:sha256:{digest}": digest}


@pytest.mark.parametrize("name", ["timm/resnet10t"])
def test_a_checkpoint_of_timm_is_audited(runner: Runner, ingredients: AuditInputs, tmp_path: Path, name: str) -> None:
    import timm

    torch.save(timm.create_model(name.removeprefix("timm/"), num_classes=2).state_dict(), tmp_path / "m.pth")
    job, results = audit(
        runner,
        ingredients,
        tmp_path / "m.pth",
        {"architecture": name, "preprocessing": {"size": [64, 64], "resize": "squash"}},
    )
    assert results["provenance"]["layers"]["own"] == "layer4"
    assert job.spec.cohorts[0].model.preprocessing.interpolation == "bicubic"
