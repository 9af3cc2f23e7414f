"""Tests that results have detection performance by cohort, run, stratum and attack type, and that gates can name it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from service.gate import Missing, Outcome, Rule, evaluate, number_lookup
from service.jobs.validation.gate import gate_problems
from service.measures.performance import PERFORMANCE
from service.spec.model import JobSpec
from tests.support.audits import audit, results
from tests.support.jobs import SIZE, AuditInputs, write_image
from tests.support.models import TinyNet, save_archive
from tests.support.soundness import ALL_OFF
from worker.runner import Runner
from worker.statistics.performance import NAMES


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a manifest of 20 bona fide images and 10 images of each of two attack types; the camera is `a` or `b`."""
    random = np.random.default_rng(0)
    with (tmp_path / "set.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", "attack", "camera"])
        for number in range(40):
            picture = write_image(tmp_path / f"{number:02}.png", random)
            kind = "" if number < 20 else "print" if number < 30 else "replay"
            rows.writerow([picture.name, "synthetic" if kind else "real", kind, "ab"[number % 2]])
    return tmp_path / "set.csv"


def spec(ingredients: AuditInputs, source: Path, *models: int, **changes: Any) -> JobSpec:
    images = {"uri": source.as_uri(), "groups": ["attack", "camera"]}
    cohort = ingredients.cohort("plain", *(models or (0, 1)))
    return ingredients.spec(**{"cohorts": [cohort], "images": images, "measures": ["entropy"], **changes})


def test_performance_is_computed_from_the_stored_probabilities(
    runner: Runner, ingredients: AuditInputs, source: Path
) -> None:
    job = audit(runner, spec(ingredients, source))
    found = results(runner.store, job)["cohorts"]["plain"]
    assert job.plan is not None
    place = job.plan["columns"]["run"].index("class_probability.1")
    pages = list(runner.store.images.values(job.id, job.image_sets[0]))
    for run in (0, 1):
        scores = np.full(40, np.nan)
        for each in (value for page in pages for value in page if value.run == run):
            scores[each.image] = np.frombuffer(each.data, dtype="<f8")[place]
        attack = np.arange(40) >= 20
        own = found["runs"][run]["performance"]
        assert own["auroc"] == pytest.approx(roc_auc_score(attack, scores))
        assert own["accuracy"] == found["runs"][run]["accuracy"] == np.mean((scores > 0.5) == attack)
    assert found["performance"]["accuracy"] == found["accuracy"]
    types = found["strata"]["attack"]
    assert set(types) == {"print", "replay"}
    apcer = "apcer_at_bpcer_10"
    assert found["performance"][apcer] == pytest.approx(np.mean([types[name]["performance"][apcer] for name in types]))
    assert set(found["performance"]["worst_type"]) == {"attack"}
    worst = found["performance"]["worst_type"]["attack"][apcer]
    assert worst >= max(types[name]["performance"][apcer] for name in types)


def test_a_gate_can_have_rules_on_detection_performance(runner: Runner, ingredients: AuditInputs, source: Path) -> None:
    paths = [
        "performance.auroc", "performance.worst_type.attack.apcer_at_bpcer_5", "runs.1.performance.eer",
        "strata.camera.a.performance.auroc", "strata.attack.print.performance.apcer_at_bpcer_10",
    ]  # fmt: skip
    rules = [Rule(measure=path, op=">=", value=0) for path in paths]
    request = spec(ingredients, source)
    assert list(gate_problems(rules, request)) == []
    document = results(runner.store, audit(runner, request))
    verdict = evaluate(rules, number_lookup(document))
    assert {each.rule.measure: each.outcome for each in verdict.rules} == dict.fromkeys(paths, Outcome.PASS)
    with pytest.raises(Missing, match="needs 100 bona fide images or more; there are 20"):
        number_lookup(document)(Rule(measure="performance.apcer_at_bpcer_1", op="<=", value=0.1))


def test_a_rule_that_compares_the_performance_of_two_cohorts_is_refused(ingredients: AuditInputs, source: Path) -> None:
    cohorts = [ingredients.cohort("plain", 0), ingredients.cohort("other", 1)]
    rule = Rule(measure="performance.auroc", cohort="plain", versus="other", op=">=", margin=0)
    ((_, field, detail),) = gate_problems([rule], spec(ingredients, source, cohorts=cohorts))
    assert field == "measure" and "not compared between cohorts" in detail


def test_a_rule_on_performance_decides_only_at_the_end(runner: Runner, ingredients: AuditInputs, source: Path) -> None:
    gate = {"rules": [{"measure": "performance.auroc", "op": ">=", "value": 0.0}], "soundness": ALL_OFF}
    job = audit(runner, spec(ingredients, source, gate=gate, stop="when-decided", shard_size=8))
    assert job.stopped_at is None and job.verdict is not None and job.verdict["outcome"] == "pass"
    assert job.so_far is not None
    assert "once all images are audited" in job.so_far["verdict"]["reason"]


def test_a_job_that_stops_early_gives_performance_without_intervals(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    for number in range(160):
        write_image(tmp_path / "s" / ("real" if number % 2 else "synthetic") / f"{number}.png", random)
    gate = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.0}], "soundness": ALL_OFF}
    images = {"uri": (tmp_path / "s").as_uri()}
    job = audit(runner, spec(ingredients, tmp_path, 0, images=images, gate=gate, stop="when-decided", shard_size=10))
    assert job.stopped_at is not None
    found = results(runner.store, job)["cohorts"]["plain"]
    for tree in (found, found["runs"][0], found["strata"]["class"]["real"]):
        assert tree["performance"]["accuracy"] is not None and tree["performance"]["accuracy_ci95"] is None
        assert "stopped early" in tree["performance"]["note"]


def test_models_of_many_classes_have_no_error_rates_of_attacks(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    wide = ingredients.cohort("wide", 0)
    wide["runs"] = [{"uri": save_archive(TinyNet(5, width=3), tmp_path / "wide.pt", SIZE).as_uri()}]
    request = ingredients.spec(cohorts=[wide], measures=["entropy"])
    found = results(runner.store, audit(runner, request))["cohorts"]["wide"]["performance"]
    assert found["eer"] is None and found["reasons"]["eer"] == "needs a model of two classes"
    assert 0 <= found["auroc"] <= 1 and found["det"] is None


def test_images_without_labels_have_no_performance(runner: Runner, ingredients: AuditInputs, tmp_path: Path) -> None:
    for number in range(6):
        write_image(tmp_path / f"{number}.png", np.random.default_rng(number))
    request = ingredients.spec(
        cohorts=[ingredients.cohort("plain", 0)], images={"uri": tmp_path.as_uri()}, measures=["entropy"]
    )
    found = results(runner.store, audit(runner, request))["cohorts"]["plain"]["performance"]
    assert found["n"] == 0 and found["auroc"] is None and found["reasons"]["accuracy"] == "no image has a label"


def test_the_service_and_the_worker_have_the_same_names_of_performance_numbers() -> None:
    assert tuple(PERFORMANCE) == NAMES
