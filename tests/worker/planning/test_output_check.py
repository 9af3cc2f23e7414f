"""Jobs on models that end in a sigmoid or softmax, and what the spec can declare about outputs."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from torch import nn

from service.commands.results_table import print_results
from service.domain.job import Job, JobState
from service.spec.model import JobSpec
from tests.support.audits import audit
from tests.support.bright_models import SIDE, Brightness, Hidden, as_onnx, exported, scripted, traced
from tests.support.models import save_archive
from worker.runner import Runner

FIELD = "cohorts[0].model.outputs.activation"
PREPROCESSING = {"size": [SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four dark images in the folder `0` and four bright images in the folder `1`."""
    random = np.random.default_rng(0)
    for label, low in ((0, 20), (1, 160)):
        for number in range(4):
            place = tmp_path / f"set/{label}/{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(low, low + 75, (SIDE, SIDE, 3), dtype=np.uint8)).save(place)
    return tmp_path / "set"


Ask = Callable[..., Job]


@pytest.fixture
def ask(runner: Runner, images: Path) -> Ask:
    """Return a function that audits a model. Its spec declares `activation`, if given."""

    def run(path: Path, activation: str | None = None, **changes: Any) -> Job:
        model: dict[str, Any] = {"preprocessing": PREPROCESSING}
        if activation:
            model["outputs"] = {"activation": activation}
        cohort = {"name": "c", "model": model, "runs": [{"uri": path.as_uri()}]}
        body = {"cohorts": [cohort], "images": {"uri": images.as_uri()}, "measures": ["entropy"], **changes}
        if path.suffix == ".onnx":
            body |= {"salience": {"method": "rise"}, "options": {"rise": {"masks": 8, "cells": 4}}}
        return audit(runner, JobSpec.model_validate(body))

    return run


def refusal(job: Job) -> str:
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error["type"], job.error["field"]) == ("model-refused", FIELD)
    return str(job.error["detail"])


def results(runner: Runner, job: Job) -> dict[str, Any]:
    assert job.state is JobState.SUCCEEDED, job.error
    document: dict[str, Any] = json.loads(runner.store.jobs.summary(job.id) or "null")
    return document


def numbers(runner: Runner, job: Job) -> np.ndarray:
    """The stored values of all images, (images, columns)."""
    assert job.state is JobState.SUCCEEDED, job.error
    measured = runner.store.images.measured(job.id, 0, 8)
    return np.array([np.frombuffer(values.data, "<f8") for image in measured for values in image.values])


def warnings_of(runner: Runner, job: Job) -> list[str]:
    found: list[str] = results(runner, job)["warnings"]
    return found


SAVES = [traced, scripted, exported]
ENDS: Sequence[tuple[nn.Module, int]] = [(nn.Sigmoid(), 1), (nn.Softmax(1), 2)]


@pytest.mark.parametrize("ending", [*ENDS, (nn.LogSoftmax(1), 2)], ids=["sigmoid", "softmax", "log-softmax"])
@pytest.mark.parametrize("save", SAVES)
def test_an_activation_at_the_end_of_a_model_does_not_change_the_results(
    tmp_path: Path, runner: Runner, ask: Ask, save: Callable[..., Path], ending: tuple[nn.Module, int]
) -> None:
    end, outputs = ending
    ended = ask(save(Brightness(end, outputs), tmp_path))
    assert results(runner, ended)["cohorts"]["c"]["accuracy"] == 1.0
    assert warnings_of(runner, ended) == []
    (tmp_path / "plain").mkdir()
    plain = ask(save(Brightness(nn.Identity(), outputs), tmp_path / "plain"))
    assert np.allclose(numbers(runner, ended), numbers(runner, plain), atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("slope", [4.0, 400.0])
@pytest.mark.parametrize("ending", ENDS, ids=["sigmoid", "softmax"])
def test_undeclared_probabilities_behind_another_operation_become_logits_with_a_warning(
    tmp_path: Path, runner: Runner, ask: Ask, ending: tuple[nn.Module, int], slope: float
) -> None:
    end, outputs = ending
    path = traced(Brightness(Hidden(end), outputs, slope), tmp_path)
    found, declared = ask(path), ask(path, "probabilities")
    (warning,) = warnings_of(runner, found)
    assert f"{path.as_uri()}: The model gives probabilities" in warning
    assert warnings_of(runner, declared) == []
    assert np.array_equal(numbers(runner, found), numbers(runner, declared), equal_nan=True)
    (tmp_path / "plain").mkdir()
    plain = ask(traced(Brightness(nn.Identity(), outputs, slope), tmp_path / "plain"))
    assert results(runner, found)["cohorts"]["c"]["accuracy"] == 1.0
    outputs_only = slice(0, 4)  # predicted, probability, top_probability, correct
    assert np.allclose(numbers(runner, found)[:, outputs_only], numbers(runner, plain)[:, outputs_only], atol=1e-4)


@pytest.mark.parametrize(("operation", "outputs"), [("Sigmoid", 1), ("Softmax", 2)])
def test_an_activation_at_the_end_of_an_onnx_model_does_not_change_the_results(
    tmp_path: Path, runner: Runner, ask: Ask, operation: str, outputs: int
) -> None:
    path = as_onnx(operation, outputs, tmp_path)
    ended = ask(path)
    assert warnings_of(runner, ended) == []
    assert results(runner, ended)["cohorts"]["c"]["accuracy"] == 1.0
    (tmp_path / "plain").mkdir()
    plain = ask(as_onnx(None, outputs, tmp_path / "plain"))
    assert np.allclose(numbers(runner, ended), numbers(runner, plain), atol=1e-4, equal_nan=True)


@pytest.mark.parametrize(
    "net",
    [
        Brightness(nn.LogSoftmax(1), 2),
        # Its output lies in [0, 1] for images, but not for images times 100.
        Brightness(nn.Identity(), slope=0.05, bias=0.5),
        Brightness(nn.Identity(), 2),
    ],
    ids=["log-softmax", "faint logit", "logits"],
)
def test_logits_are_accepted_unless_they_are_declared_as_probabilities(
    tmp_path: Path, ask: Ask, net: nn.Module
) -> None:
    path = traced(net, tmp_path)
    assert ask(path).state is JobState.SUCCEEDED
    assert "does not give the probabilities" in refusal(ask(path, "probabilities"))


def test_a_model_with_a_constant_output_in_0_to_1_is_refused_unless_declared_as_logits(
    tmp_path: Path, runner: Runner, ask: Ask
) -> None:
    path = traced(Brightness(nn.Identity(), slope=0.0, bias=0.3), tmp_path)
    assert len(warnings_of(runner, ask(path))) == 1
    assert warnings_of(runner, ask(path, "logits")) == []
    below = traced(Brightness(nn.Identity(), slope=0.0, bias=-0.3), tmp_path)
    assert warnings_of(runner, ask(below)) == []


def test_the_output_of_a_sigmoid_is_used_as_a_logit_if_it_is_declared_as_one(
    tmp_path: Path, runner: Runner, ask: Ask
) -> None:
    job = ask(traced(Brightness(nn.Sigmoid()), tmp_path), "logits")
    assert results(runner, job)["cohorts"]["c"]["accuracy"] == 0.5


def test_probabilities_are_detected_although_the_first_images_are_unreadable(
    tmp_path: Path, runner: Runner, ask: Ask, images: Path
) -> None:
    for number in range(40):
        (images / "0" / f"-{number}.png").write_bytes(b"not an image")
    image_set = {"uri": images.as_uri(), "max_skipped": 1}
    job = ask(traced(Brightness(Hidden(nn.Sigmoid())), tmp_path), images=image_set)
    assert len(warnings_of(runner, job)) == 1


def test_the_outputs_of_every_run_of_a_cohort_are_checked(tmp_path: Path, runner: Runner, images: Path) -> None:
    runs = []
    for end in (nn.Identity(), Hidden(nn.Sigmoid()), nn.Sigmoid()):
        path = save_archive(Brightness(end), tmp_path / f"{type(end).__name__}.pt", SIDE)
        runs.append({"uri": path.as_uri()})
    cohort = {"name": "c", "model": {"preprocessing": PREPROCESSING}, "runs": runs}
    spec = {"cohorts": [cohort], "images": {"uri": images.as_uri()}, "measures": ["entropy"]}
    job = audit(runner, JobSpec.model_validate(spec))
    (warning,) = warnings_of(runner, job)
    assert "Hidden.pt" in warning
    by_run = [
        [run["accuracy"], run["measures"]["entropy"]["mean"]] for run in results(runner, job)["cohorts"]["c"]["runs"]
    ]
    assert np.allclose(by_run[1:], by_run[0], atol=1e-4)


def test_the_report_and_the_table_show_the_warning(
    tmp_path: Path, runner: Runner, ask: Ask, api: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ask(traced(Brightness(Hidden(nn.Sigmoid())), tmp_path))
    print_results(results(runner, job))
    shown = " ".join(capsys.readouterr().out.split())
    page = " ".join(re.sub(r"<wbr>", "", api.get(f"/v1/jobs/{job.id}/report").text).split())
    for text in (shown, page):
        assert "no sigmoid or softmax at its end could be removed" in text
