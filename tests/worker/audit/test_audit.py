"""Compares the audit of a batch with a slow twin: image by image, with hooks, autograd, scikit-image and scipy.

The tolerance is 1e-4: both sides compute in float32, and SSIM divides by variances as small as its constant 9e-4.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from service.spec.model import JobSpec
from tests.support.jobs import SIZE
from tests.support.models import TinyNet, logit_difference, save_archive
from tests.support.slow_twin import DIGESTS, Array, Twin
from worker.audit.audit import Audit
from worker.audit.batch import ImageBatch
from worker.audit.scoring import column_names
from worker.models.load import load_classifier
from worker.probes.random_fields import field
from worker.runtime.batch_size import chunk_size

AMOUNTS = (0.1, 0.5)


def spec(**changes: Any) -> JobSpec:
    runs = [{"uri": "file:///1"}, {"uri": "file:///2"}]
    body = {
        "cohorts": [{"name": "c", "model": {"preprocessing": {"size": [SIZE, SIZE]}}, "runs": runs}],
        "images": {"uri": "file:///i"},
        "options": {"noise": {"amounts": AMOUNTS}, "geometry": {"transforms": ["rot90", "shift:5,-3"]}},
    }
    return JobSpec.model_validate({**body, **changes})


@pytest.fixture(scope="module")
def nets() -> list[TinyNet]:
    other = TinyNet(11)  # the gradients of this model have no closed form
    other.head = nn.Sequential(nn.Linear(8, 6), nn.Hardswish(), nn.Linear(6, 2))
    return [TinyNet(10), other.eval()]


def audit(tmp_path: Path, nets: Sequence[TinyNet], request: JobSpec) -> Audit:
    paths = [save_archive(net, tmp_path / f"{n}.pt", SIZE) for n, net in enumerate(nets)]
    model, chunk = request.cohorts[0].model, chunk_size(request, torch.device("cpu"))
    return Audit(request, 0, [load_classifier(path, model, chunk) for path in paths], lambda _: None)


def blurred(image: Array, guide: Array) -> Array:
    smooth = gaussian_filter(guide.astype(float), 5)
    levels = np.round(10 * smooth / smooth.max(), 1)
    out = image.astype(float)
    for level in np.unique(levels):
        sigma = (10 - level) ** 4 / 1000
        filtered = np.stack([gaussian_filter(channel.astype(float), sigma) for channel in image])
        out[:, levels == level] = filtered[:, levels == level]
    return out


def slow_predictions(part: str, before: Array, after: Array) -> dict[str, float]:
    """The change of the clean class's probability, and whether another class is predicted."""
    predicted = before.argmax()
    change = {"probability_change": after[predicted] - before[predicted], "flipped": after.argmax() != predicted}
    return {f"{part}.{name}": float(value) for name, value in change.items()}


def slow_columns(net: TinyNet, image: Array, digest: str) -> dict[str, float]:
    twin = Twin(net)
    native, clean, said = twin.see(image)
    top = said.max()
    found = {
        "predicted": int(said.argmax()), "probability": top, "top_probability": top, "entropy": twin.entropy(native),
        "class_probability.0": said[0], "class_probability.1": said[1],
    }  # fmt: skip
    u, v = field("salt_pepper", 0, digest, (SIZE, SIZE)).numpy()
    noisy = {str(a): np.where(u < a, (v < 0.5).astype(np.float32), image) for a in AMOUNTS}
    for amount, variant in noisy.items():
        other_native, other, then = twin.see(variant)
        found |= {f"noise.{amount}.{kind}": value for kind, value in twin.similarity(clean, other).items()}
        found[f"noise.{amount}.entropy_change"] = twin.entropy(other_native) - found["entropy"]
        found |= slow_predictions(f"noise.{amount}", said, then)
    turned = twin.see(np.rot90(image, axes=(1, 2)))[1]
    found |= {f"geometry.rot90.{k}": v for k, v in twin.similarity(np.rot90(clean), turned).items()}
    moved = np.pad(image, ((0, 0), (0, 3), (5, 0)), mode="edge")[:, 3:, :SIZE]
    there = twin.see(moved)[1][: SIZE - 3, 5:]
    here = clean[3:, : SIZE - 5]
    found |= {f"geometry.shift:5,-3.{k}": v for k, v in twin.similarity(here, there).items()}
    for name, guide in (("background", clean), ("object", 1 - clean)):
        _, other, then = twin.see(blurred(image, guide))
        found |= {f"degradation.{name}.{k}": v for k, v in twin.similarity(clean, other).items()}
        found |= slow_predictions(f"degradation.{name}", said, then)
    for measure, parts in (("noise", noisy), ("geometry", ("rot90", "shift:5,-3")), ("degradation", ("background",))):
        for kind in ("ssim", "pearson", "mse", "iou20"):
            name = measure if kind == "ssim" else f"{measure}.{kind}"
            found[name] = float(np.mean([found[f"{measure}.{part}.{kind}"] for part in parts]))
    other = twin.see(image, 1 - int(said.argmax()))[1]
    found["soundness.class"] = twin.similarity(clean, other)["ssim"]
    difference = twin.see_number(image, logit_difference())[1]
    found["soundness.difference"] = twin.similarity(clean, difference)["ssim"]
    found["degradation.gap"] = found["degradation.background.ssim"] - found["degradation.object.ssim"]
    return found


def test_every_number_agrees_with_the_slow_twin(tmp_path: Path, nets: list[TinyNet], batch: ImageBatch) -> None:
    scores = audit(tmp_path, nets, spec()).score(batch)
    for net, columns in zip(nets, scores.runs.values(), strict=True):
        for n, digest in enumerate(DIGESTS):
            twin = slow_columns(net, batch.images[n].numpy(), digest)
            assert {name: columns[name][n].item() for name in twin} == pytest.approx(twin, abs=1e-4)
            assert columns.keys() - twin.keys() == {"correct", "degenerate", "brier", "entropy.spatial"}


def test_correctness_is_missing_for_an_image_without_a_label(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch
) -> None:
    columns = audit(tmp_path, nets, spec()).score(batch).runs[0]
    predicted = columns["predicted"].tolist()
    assert columns["correct"][:2].tolist() == [float(predicted[0] == 0), float(predicted[1] == 1)]
    assert columns["correct"][2].isnan()


def test_the_brier_score_of_two_classes_is_the_squared_error_of_one_probability(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch
) -> None:
    columns = audit(tmp_path, nets, spec()).score(batch).runs[0]
    errors = columns["class_probability.1"][:2] - torch.tensor([0.0, 1.0])
    assert columns["brier"][:2].tolist() == pytest.approx(errors.square().tolist(), abs=1e-6)
    assert columns["brier"][2].isnan()


@pytest.mark.parametrize("target", ["predicted", "clean", 1])
@pytest.mark.parametrize("method", ["gradcam", "diffgradcam", "cam"])
def test_the_numbers_of_an_image_have_the_same_bits_alone_and_in_a_batch(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch, target: str | int, method: str
) -> None:
    own = [nets[0], nets[0]] if method == "cam" else nets  # the second model has no linear head
    request = audit(tmp_path, own, spec(salience={"method": method, "target": target}))
    together = request.score(batch)
    for n in (2, 0, 1):
        one = request.score(ImageBatch(batch.images[n : n + 1], [DIGESTS[n]], batch.labels[n : n + 1]))
        for alone, all_of_them in zip(
            [*one.runs.values(), one.across], [*together.runs.values(), together.across], strict=True
        ):
            for name, column in alone.items():
                assert torch.equal(column[0].nan_to_num(-1), all_of_them[name][n].nan_to_num(-1)), name


def test_with_the_target_label_each_map_explains_the_class_of_the_images_label(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch
) -> None:
    labelled = ImageBatch(batch.images[:2], DIGESTS[:2], torch.tensor([0, 1]))
    found = audit(tmp_path, nets, spec(salience={"target": "label"})).score(labelled).runs[0]
    for n, label in enumerate((0, 1)):
        said = Twin(nets[0]).see(batch.images[n].numpy(), label)[2]
        assert found["probability"][n].item() == pytest.approx(said[label], abs=1e-5)


def test_an_audit_counts_every_forward_pass(tmp_path: Path, nets: list[TinyNet], batch: ImageBatch) -> None:
    counted: list[int] = []
    request = audit(tmp_path, nets, spec())
    Audit(request.spec, 0, request.classifiers, counted.append).score(batch)
    assert sum(counted) == 3 * 2 * spec().passes()


@pytest.mark.parametrize(
    ("method", "names"),
    [("gradcam", ["class", "difference"]), ("diffgradcam", ["class"]), ("eigencam", ["class"]), ("saliency", [])],
)
def test_the_columns_of_soundness_are_those_that_the_method_has(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch, method: str, names: list[str]
) -> None:
    request = spec(salience={"method": method}, measures=["entropy"])
    columns = audit(tmp_path, nets, request).score(batch).runs[1]
    assert [name for name in columns if name.startswith("soundness")] == [f"soundness.{name}" for name in names]
    assert list(columns) == [name for name in column_names(request) if not name.startswith("chance")]
    assert not any(columns[f"soundness.{name}"].isnan().any() for name in names)


@pytest.mark.parametrize("run", [0, 1], ids=["closed form", "autograd"])
def test_numbers_of_soundness_need_no_further_forward_pass(
    tmp_path: Path, nets: list[TinyNet], batch: ImageBatch, run: int
) -> None:
    request = audit(tmp_path, nets[run : run + 1], spec(measures=["entropy"]))
    (loaded,), sizes = request.classifiers, list[int]()

    def count(inputs: Tensor) -> tuple[Tensor, Tensor]:
        assert loaded.tapped is not None
        sizes.append(len(inputs))
        return loaded.tapped(inputs)

    counted = replace(request, classifiers=[replace(loaded, plain=lambda inputs: count(inputs)[0], tapped=count)])
    assert "soundness.difference" in counted.score(batch).runs[0]
    assert sizes == [loaded.chunk] * len(batch.images)
