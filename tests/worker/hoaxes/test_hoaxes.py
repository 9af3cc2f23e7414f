"""Tests that no hoax gets the verdict `pass` under the default soundness checks, even if it meets every rule."""

from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from service.domain.job import Job, JobState
from service.gate import CHECKS, Limits, Rule, judge
from service.spec.model import JobSpec
from tests.support.audits import audit, results
from tests.support.hoaxes import CAUGHT, CLASSES, HOAXES, HONEST
from tests.support.models import save_archive
from tests.support.squares import SIDE, save_squares
from worker.runner import Runner

RULES = [
    {"measure": "entropy", "op": "<=", "value": 1.0},
    {"measure": "noise", "op": ">=", "value": -1.0},
    {"measure": "degradation", "op": ">=", "value": -1.0},
    {"measure": "accuracy", "op": ">=", "value": 0.0},
]
MEASURES = {
    "measures": ["entropy", "noise", "degradation"],
    "options": {"noise": {"amounts": [0.05]}},
    "maps": {"keep": 0},
}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database is irrelevant


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_squares(tmp_path_factory.mktemp("squares"))


def judged(runner: Runner, images: Path, name: str, **changes: Any) -> Job:
    """Audit a model with a gate of several rules. Returns the ended job."""
    model = {**HONEST, **HOAXES}[name]().eval()
    path = save_archive(model, images.parent / f"{name}.pt", SIDE)
    preprocessing = {"size": [SIDE, SIDE], "mean": [0, 0, 0], "std": [1, 1, 1]}
    model_fields = {"preprocessing": preprocessing, **changes.pop("model", {})}
    cohort = {"name": "c", "model": model_fields, "runs": [{"uri": path.as_uri()}]}
    body = {"cohorts": [cohort], "images": {"uri": images.as_uri()}, "gate": {"rules": RULES}, **MEASURES}
    return audit(runner, JobSpec.model_validate(body | changes))


def copied_to_one_folder(images: Path, folder: Path) -> Path:
    """Copy images from the folders of their labels to one folder, where they have no labels."""
    folder.mkdir()
    for path in images.rglob("*.png"):
        copy(path, folder / f"{path.parent.name}-{path.name}")
    return folder


def outcome(job: Job) -> str:
    return "error" if job.verdict is None else job.verdict["outcome"]


@pytest.mark.parametrize("stop", [None, "when-decided"])
@pytest.mark.parametrize("name", HONEST)
def test_the_honest_model_passes_with_logits_and_with_probabilities(
    runner: Runner, images: Path, name: str, stop: str | None
) -> None:
    job = judged(runner, images, name, stop=stop)
    assert outcome(job) == "pass", job.verdict or job.error
    found = results(runner.store, job)["soundness"]["c"]
    assert {each["name"] for each in found["checks"] if each["status"] == "failed"} == set()


@pytest.mark.parametrize("stop", [None, "when-decided"])
@pytest.mark.parametrize("name", CAUGHT)
def test_the_soundness_checks_make_the_verdict_on_a_hoax_an_error(
    runner: Runner, images: Path, name: str, stop: str | None
) -> None:
    job = judged(runner, images, name, stop=stop)
    assert outcome(job) == "error"
    found = results(runner.store, job)
    failed = {each["name"] for each in found["verdict"]["soundness"] if each["status"] == "failed"}
    assert failed >= CAUGHT[name]
    assert [each["outcome"] for each in found["verdict"]["rules"]] == ["error"] * len(RULES)
    assert job.stopped_at is None, "a job with a failed soundness check does not stop early"


@pytest.mark.parametrize("name", CLASSES)
def test_the_checks_of_classes_find_channels_that_raise_both_logits_equally(
    runner: Runner, images: Path, name: str
) -> None:
    found = results(runner.store, judged(runner, images, name))["soundness"]["c"]["checks"]
    of_classes = {each["name"]: each["status"] for each in found}
    assert (of_classes["class"], of_classes["difference"]) == CLASSES[name]


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no labels"])
@pytest.mark.parametrize("count", [8, 12, 20, 48])
@pytest.mark.parametrize("name", ["honest", *CLASSES])
def test_a_few_images_with_or_without_labels_are_enough_to_catch_a_hoax(
    runner: Runner, tmp_path: Path, name: str, count: int, labelled: bool
) -> None:
    images = save_squares(tmp_path / "squares", count)
    if not labelled:
        images = copied_to_one_folder(images, tmp_path / "unlabelled")
    rules = [RULES[0], RULES[-1]] if labelled else RULES[:1]
    job = judged(runner, images, name, measures=["entropy"], options={}, gate={"rules": rules})
    assert outcome(job) == ("pass" if name == "honest" else "error"), job.verdict or job.error


def test_a_job_fails_if_its_model_has_active_dropout(runner: Runner, images: Path) -> None:
    job = judged(runner, images, "dropout traced in")
    assert job.state is JobState.FAILED
    assert outcome(job) == "error"


def test_a_model_with_active_dropout_gets_a_warning_if_the_spec_allows_it(runner: Runner, images: Path) -> None:
    job = judged(runner, images, "dropout traced in", model={"allow_nondeterministic": True})
    found = results(runner.store, job)["soundness"]["c"]
    for checks in (found["checks"], *found["runs"]):
        (check,) = (each for each in checks if each["name"] == "deterministic")
        assert check["status"] == "warning"
        assert check["number"] < 1


@pytest.mark.parametrize(("method", "status"), [("gradcam", "ok"), ("eigencam", "warning")])
def test_a_method_that_ignores_the_head_is_a_warning_if_the_spec_requests_the_check(
    runner: Runner, images: Path, method: str, status: str
) -> None:
    asked = {"soundness": {"weights": True}, "salience": {"method": method}}
    found = results(runner.store, judged(runner, images, "untrained", **asked))["soundness"]["c"]
    for checks in (found["checks"], *found["runs"]):
        (check,) = (each for each in checks if each["name"] == "weights")
        assert (check["status"], len(check["interval"])) == (status, 2)
    unasked = results(runner.store, judged(runner, images, "untrained"))["soundness"]["c"]["checks"]
    assert [each["status"] for each in unasked if each["name"] == "weights"] == ["not checked"]


@pytest.mark.parametrize("name", ["trained on shuffled labels", "constant predictor", "untrained"])
def test_a_model_whose_accuracy_is_at_chance_passes_no_rule_on_accuracy(
    runner: Runner, images: Path, name: str
) -> None:
    found = results(runner.store, judged(runner, images, name))
    others: Limits = {check: "off" for check in CHECKS if check != "accuracy"}
    for value in (0.0, 0.49, 0.5, 0.51):
        rule = Rule(measure="accuracy", op=">=", value=value)
        assert judge(found, [rule], others).outcome != "pass"


def test_a_job_fails_if_the_model_gives_nan_for_one_image(runner: Runner, images: Path) -> None:
    job = judged(runner, images, "NaN for one image")
    assert job.state is JobState.FAILED
    assert "outputs are not finite numbers" in (job.error or {})["detail"]


@pytest.mark.parametrize("name", ["dead maps", "half of the maps dead"])
def test_without_soundness_checks_a_hoax_passes_and_the_verdict_names_the_disabled_checks(
    runner: Runner, images: Path, name: str
) -> None:
    rules = [{"measure": "accuracy", "op": ">=", "value": 0.8}]
    job = judged(runner, images, name, gate={"rules": rules, "soundness": {"degenerate": "off"}})
    assert outcome(job) == "pass"
    assert job.verdict is not None
    assert job.verdict["reason"].endswith("The gate changes soundness checks: degenerate off.")
    assert [(each["name"], each["status"]) for each in job.verdict["soundness"]] == [("degenerate", "off")]
