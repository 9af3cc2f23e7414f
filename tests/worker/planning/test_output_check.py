"""Models that end in a sigmoid or a softmax are refused unless the spec declares their outputs."""

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from service.domain.job import Job, JobState
from service.spec.model import JobSpec
from tests.support.audits import audit
from tests.support.exported_models import export
from tests.support.models import save_archive
from tests.support.onnx_models import save_net
from worker.runner import Runner

SIDE = 16
FIELD = "cohorts[0].model.outputs.activation"
PREPROCESSING = {"size": [SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Brightness(nn.Module):
    """Classifies dark images as 0 and bright ones as 1. The logit is slope * mean + bias; `end` is applied to it."""

    def __init__(self, end: nn.Module, outputs: int = 1, slope: float = 4.0, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 1)
        self.features = nn.Sequential(first, second)
        self.fc, self.end = nn.Linear(4, outputs), end
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()
            first.weight.copy_(1 + 0.3 * torch.randn(4, 3, 3, 3))
            second.weight.copy_(torch.eye(4)[:, :, None, None] / 27)
            self.fc.weight.copy_(slope / 4 * (torch.ones(1, 4) if outputs == 1 else torch.tensor([[-0.5], [0.5]])))
            self.fc.bias.fill_(bias)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.end(self.fc(self.features(x).mean((2, 3))))
        return logits


def traced(net: nn.Module, folder: Path) -> Path:
    return save_archive(net, folder / "m.pt", SIDE)


def scripted(net: nn.Module, folder: Path) -> Path:
    compile_script: Any = torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates scripting, but users' archives come from it
        compile_script(net).save(str(folder / "m.pt"))
    return folder / "m.pt"


def exported(net: nn.Module, folder: Path) -> Path:
    return export(net, folder / "m.pt2", side=SIDE)


def as_onnx(operation: str | None, outputs: int, folder: Path) -> Path:
    """Save an ONNX model: global average pooling, a linear layer, and `operation` if one is given."""
    side = np.ones((3, 1)) if outputs == 1 else np.array([[-0.5, 0.5]] * 3)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["z" if operation else "logits"]),
    ]
    if operation:
        nodes.append(helper.make_node(operation, ["z"], ["logits"]))
    weights = numpy_helper.from_array((4 / 3 * side).astype(np.float32), "weights")
    return save_net(folder / "m.onnx", nodes, weights, [["n", 3, SIDE, SIDE], ["n", outputs]])


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
    """A function that audits a model whose spec declares `activation`, if one is given."""

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


SAVES = [traced, scripted, exported]
ENDS: Sequence[tuple[nn.Module, int]] = [(nn.Sigmoid(), 1), (nn.Softmax(1), 2)]


@pytest.mark.parametrize("ending", ENDS, ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("save", SAVES)
def test_probabilities_are_refused_with_both_remedies_or_become_logits_if_declared(
    tmp_path: Path, runner: Runner, ask: Ask, save: Callable[..., Path], ending: tuple[nn.Module, int]
) -> None:
    end, outputs = ending
    path = save(Brightness(end, outputs), tmp_path)
    message = refusal(ask(path))
    assert "model.outputs.activation" in message
    assert "`probabilities`" in message
    assert "`logits`" in message
    declared = ask(path, "probabilities")
    assert results(runner, declared)["cohorts"]["c"]["accuracy"] == 1.0
    (tmp_path / "plain").mkdir()
    plain = ask(save(Brightness(nn.Identity(), outputs), tmp_path / "plain"))
    assert np.allclose(numbers(runner, declared), numbers(runner, plain), atol=2e-3, equal_nan=True)


@pytest.mark.parametrize(("operation", "outputs"), [("Sigmoid", 1), ("Softmax", 2)])
def test_probabilities_of_a_black_box_are_refused_or_become_logits_if_declared(
    tmp_path: Path, runner: Runner, ask: Ask, operation: str, outputs: int
) -> None:
    path = as_onnx(operation, outputs, tmp_path)
    assert "probabilities" in refusal(ask(path))
    declared = ask(path, "probabilities")
    assert results(runner, declared)["cohorts"]["c"]["accuracy"] == 1.0
    (tmp_path / "plain").mkdir()
    plain = ask(as_onnx(None, outputs, tmp_path / "plain"))
    assert np.allclose(numbers(runner, declared), numbers(runner, plain), atol=1e-4, equal_nan=True)


@pytest.mark.parametrize(
    "net",
    [
        Brightness(nn.LogSoftmax(1), 2),
        Brightness(nn.Identity(), slope=0.05, bias=0.5),  # lies in [0, 1] for images, but not for images times 100
        Brightness(nn.Identity(), 2),
    ],
    ids=["log-softmax", "faint logit", "logits"],
)
def test_logits_are_accepted_and_are_refused_if_declared_as_probabilities(
    tmp_path: Path, ask: Ask, net: nn.Module
) -> None:
    path = traced(net, tmp_path)
    assert ask(path).state is JobState.SUCCEEDED
    assert "does not give the probabilities" in refusal(ask(path, "probabilities"))


def test_a_model_with_a_constant_output_in_0_to_1_is_refused_unless_declared_as_logits(
    tmp_path: Path, ask: Ask
) -> None:
    path = traced(Brightness(nn.Identity(), slope=0.0, bias=0.3), tmp_path)
    assert "model.outputs.activation" in refusal(ask(path))
    assert ask(path, "logits").state is JobState.SUCCEEDED
    below = traced(Brightness(nn.Identity(), slope=0.0, bias=-0.3), tmp_path)
    assert ask(below).state is JobState.SUCCEEDED


def test_a_sigmoid_that_is_declared_as_logit_is_used_as_logit(tmp_path: Path, runner: Runner, ask: Ask) -> None:
    job = ask(traced(Brightness(nn.Sigmoid()), tmp_path), "logits")
    assert results(runner, job)["cohorts"]["c"]["accuracy"] == 0.5


def test_probabilities_are_detected_although_the_first_images_are_unreadable(
    tmp_path: Path, ask: Ask, images: Path
) -> None:
    for number in range(40):
        (images / "0" / f"-{number}.png").write_bytes(b"not an image")
    image_set = {"uri": images.as_uri(), "max_skipped": 1}
    assert "probabilities" in refusal(ask(traced(Brightness(nn.Sigmoid()), tmp_path), images=image_set))


def test_the_outputs_of_every_run_of_a_cohort_are_checked(tmp_path: Path, runner: Runner, images: Path) -> None:
    runs = []
    for end in (nn.Identity(), nn.Sigmoid()):
        path = save_archive(Brightness(end), tmp_path / f"{type(end).__name__}.pt", SIDE)
        runs.append({"uri": path.as_uri()})
    cohort = {"name": "c", "model": {"preprocessing": PREPROCESSING}, "runs": runs}
    spec = {"cohorts": [cohort], "images": {"uri": images.as_uri()}, "measures": ["entropy"]}
    assert "Sigmoid.pt" in refusal(audit(runner, JobSpec.model_validate(spec)))
