"""Runs whole audits of models whose salience is known from their construction."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from examples.experiment.canvas import SIDE, Canvas
from examples.experiment.dataset import make_dataset, save_dataset
from examples.experiment.faces import Face, make_face
from examples.experiment.maps import compute_maps
from examples.experiment.training import MEAN, STD, Detector
from examples.experiment.worlds import UNCORRELATED, World
from service.domain.job import JobState
from service.spec.model import JobSpec
from tests.support.known_models import FixedPlace, Pointwise, StripeDetector
from tests.support.models import save_archive
from worker.local import local_audit
from worker.settings import WorkerSettings

SHIFTS = ["shift:16,0", "shift:-16,8", "shift:0,-12"]


def body(folder: Path, nets: Sequence[nn.Module], images: Path, **changes: Any) -> dict[str, Any]:
    """Save the models in `folder`, and return the spec of a job that audits them as the cohort `known`."""
    paths = [save_archive(net.eval(), folder / f"{number}.pt", SIDE) for number, net in enumerate(nets)]
    preprocessing = {"size": [SIDE, SIDE], "mean": MEAN, "std": STD}
    cohort = {"name": "known", "model": {"preprocessing": preprocessing}, "runs": [{"uri": p.as_uri()} for p in paths]}
    return {"cohorts": [cohort], "images": {"uri": images.as_uri()}, **changes}


def measures(spec: dict[str, Any]) -> dict[str, Any]:
    """Run an audit in this process. Returns the measures of the cohort `known`."""
    with local_audit(JobSpec.model_validate(spec), WorkerSettings(device="cpu")) as local:
        job = local.run()
        assert job.state is JobState.SUCCEEDED, job.error
        document = json.loads(local.store.jobs.summary(job.id) or "null")
    found: dict[str, Any] = document["cohorts"]["known"]["measures"]
    return found


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    save_dataset(make_dataset(6, 0, UNCORRELATED), folder)
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images of a soft coloured spot on grey. A shift by 16 pixels keeps the spot inside the image."""
    folder = tmp_path_factory.mktemp("blobs")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, colour in enumerate([(255, 40, 0), (0, 200, 90), (30, 60, 255), (250, 250, 0), (250, 250, 250)]):
        cover = np.clip(2 - np.hypot(rows - 32, (columns - 32) / 1.3) / 6, 0, 1)[:, :, None]
        image = 128 * (1 - cover) + np.array(colour) * cover
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_model_with_a_fixed_map_is_focused_and_stable_but_not_equivariant(tmp_path: Path, faces: Path) -> None:
    found = measures(body(tmp_path, [FixedPlace(0), FixedPlace(1)], faces))
    assert found["entropy"]["mean"] < 0.15
    assert found["stability"]["mean"] == pytest.approx(1, abs=1e-6)
    assert found["noise"]["mean"] == pytest.approx(1, abs=1e-6)
    parts = found["geometry"]["parts"]
    assert max(parts[name]["mean"] for name in parts if not name.startswith("shift")) < 0.4
    assert max(parts[name]["mean"] for name in parts) < 0.7


def test_a_shift_equivariant_model_has_similarity_one_under_shifts(tmp_path: Path, blobs: Path) -> None:
    options = {"geometry": {"transforms": SHIFTS}}
    request = {"measures": ["geometry"], "options": options, "salience": {"target": 1}}
    moving, fixed = (
        measures(body(tmp_path, [net], blobs, **request))["geometry"] for net in (Pointwise(4), FixedPlace())
    )
    assert (moving["n"], moving["missing"]) == (5, 0)
    assert moving["q05"] == pytest.approx(1, abs=1e-4)
    assert fixed["q95"] < 0.7


def test_untrained_runs_disagree_and_identical_runs_agree(tmp_path: Path, faces: Path) -> None:
    untrained = []
    for seed in range(4):
        torch.manual_seed(seed)
        untrained.append(Detector())
    request = {"measures": ["stability"], "salience": {"target": 1}}
    assert measures(body(tmp_path, untrained, faces, **request))["stability"]["mean"] < 0.3
    identical = measures(body(tmp_path, [untrained[0]] * 3, faces, **request))["stability"]
    assert (identical["mean"], identical["q05"]) == (1, 1)


def test_noise_of_amount_zero_does_not_change_maps(tmp_path: Path, faces: Path) -> None:
    options = {"noise": {"amounts": [0.0, 0.5]}}
    request = {"measures": ["noise"], "options": options, "salience": {"target": 1}}
    torch.manual_seed(0)
    parts = measures(body(tmp_path, [Detector()], faces, **request))["noise"]["parts"]
    assert parts["0.0"]["mean"] == pytest.approx(1, abs=1e-6)
    assert parts["0.5"]["mean"] < 0.9


@pytest.fixture(scope="module")
def striped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Face]]:
    """A folder of synthetic faces on a striped background, and the faces in the order of their files."""
    folder, random = tmp_path_factory.mktemp("striped"), np.random.default_rng(1)
    faces = [make_face(1, random, World(shortcut=1.0)) for _ in range(6)]
    for number, face in enumerate(faces):
        Image.fromarray((face.image.transpose(1, 2, 0) * 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder, faces


def test_the_map_of_a_model_that_uses_a_shortcut_lies_on_the_shortcut(
    tmp_path: Path, striped: tuple[Path, list[Face]]
) -> None:
    folder, faces = striped
    (maps,) = compute_maps(body(tmp_path, [StripeDetector()], folder), sorted(folder.glob("*.png")))["known"]
    for face, found in zip(faces, maps, strict=True):
        behind = Canvas(np.zeros((1, 1, 3)), face.pose).ellipse((-2, 0), (28, 24)) == 0
        inside = Canvas(np.zeros((1, 1, 3)), face.pose).ellipse((0, 0), (14, 10)) == 1
        assert found[behind].mean() > 0.7
        # Eyes and lips resemble stripes a little, so that salience inside the face is not near 0.
        assert found[inside].mean() < found[behind].mean() - 0.3


def test_the_map_of_a_model_that_uses_a_shortcut_changes_only_if_the_shortcut_is_blurred(
    tmp_path: Path, striped: tuple[Path, list[Face]]
) -> None:
    parts = measures(body(tmp_path, [StripeDetector()], striped[0], measures=["degradation"]))["degradation"]["parts"]
    assert parts["background"]["mean"] > 0.9
    assert parts["background"]["probability_change"] == pytest.approx(0, abs=0.01)
    assert parts["object"]["mean"] < 0.3
    assert parts["object"]["probability_change"] < -0.5
    assert parts["gap"]["mean"] > 0.6
