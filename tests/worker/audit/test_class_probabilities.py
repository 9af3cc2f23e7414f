"""Tests that the stored values of a model with few classes contain the probability of every class."""

from pathlib import Path

import numpy as np
import pytest

from service.spec.model import JobSpec
from tests.support.audits import audit, results
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import TinyNet, save_archive
from worker.audit.scoring import class_columns, column_names
from worker.runner import Runner


def table(runner: Runner, spec: JobSpec) -> dict[str, np.ndarray]:
    """Run an audit. Returns the columns of the stored values by name, (cohorts, images) each."""
    job = audit(runner, spec)
    results(runner.store, job)
    columns = job.plan["columns"]["run"] if job.plan else []
    rows = [
        sorted((each.image, each.cohort, each.data) for each in page if each.run == 0)
        for page in runner.store.images.values(job.id, job.image_sets[0])
    ]
    values = np.array([np.frombuffer(data, dtype="<f8") for page in rows for _, _, data in page])
    by_cohort = values.reshape(-1, len(spec.cohorts), len(columns)).transpose(2, 1, 0)
    return dict(zip(columns, by_cohort, strict=True))


def test_the_probabilities_of_two_classes_sum_to_one(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(cohorts=[ingredients.cohort("plain", 0)], measures=["entropy"])
    found = table(runner, spec)
    assert found["class_probability.0"] + found["class_probability.1"] == pytest.approx(1, abs=1e-6)
    largest = np.maximum(found["class_probability.0"], found["class_probability.1"])
    assert largest == pytest.approx(found["top_probability"], abs=1e-6)


def test_the_probability_of_a_class_is_nan_for_cohorts_without_this_class(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    wide = ingredients.cohort("wide", 0)
    wide["runs"] = [{"uri": save_archive(TinyNet(5, width=3), tmp_path / "wide.pt", SIZE).as_uri()}]
    spec = ingredients.spec(cohorts=[ingredients.cohort("plain", 0), wide], measures=["entropy"])
    third = table(runner, spec)["class_probability.2"]
    assert np.isnan(third[0]).all() and (third[1] > 0).all()


def test_class_probabilities_are_not_stored_for_models_of_many_classes(ingredients: AuditInputs) -> None:
    assert len(class_columns(20)) == 20 and class_columns(21) == []
    few, many = (set(column_names(ingredients.spec(), classes)) for classes in (2, 1000))
    assert few - many == {"class_probability.0", "class_probability.1"}
