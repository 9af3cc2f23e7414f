from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from examples.experiment.annotators import human_map
from examples.experiment.canvas import SIDE, Canvas
from examples.experiment.command import main
from examples.experiment.dataset import make_dataset, save_dataset
from examples.experiment.faces import PLACES, make_face
from examples.experiment.page import MEASURES
from examples.experiment.reading import HIGHER, read_differences, read_published
from examples.experiment.training import (
    RECIPES,
    Detector,
    loss_of,
    normalised,
    save,
    shift_anywhere,
    shuffle_maps,
    train,
)
from examples.experiment.worlds import CLASSES, TEST_WORLDS, TRAINING, World
from service.inputs.image_sets.listing import list_images
from service.spec.cohort import Model, Preprocessing
from worker.models.load import load_classifier


def test_a_seed_always_gives_the_same_images_and_another_seed_gives_other_images() -> None:
    once, again, other = (make_dataset(4, seed, TRAINING) for seed in (1, 1, 2))
    assert torch.equal(once.images, again.images)
    assert torch.equal(once.human, again.human)
    assert not torch.equal(once.images, other.images)


@pytest.mark.parametrize("world", TEST_WORLDS.values(), ids=list(TEST_WORLDS))
def test_synthetic_faces_have_one_or_two_forgeries_and_real_faces_none(world: World) -> None:
    random = np.random.default_rng(0)
    for number in range(12):
        face = make_face(number % 2, random, world)
        assert len(face.forged) in ((1, 2) if face.label else (0,))
        assert set(face.forged) <= set(PLACES)
        assert 0 <= face.image.min() <= face.image.max() <= 1


def test_a_forgery_changes_the_image_only_where_it_is_placed() -> None:
    for seed in range(20):
        real, forged = (
            make_face(1, np.random.default_rng(seed), World(0.5, strength=(s, s), noise=(0, 0), blur=(0, 0)))
            for s in (0.0, 1.0)
        )
        # A forgery of the hair draws further random numbers, which changes the rest of the image as well.
        if "hair" not in forged.forged:
            canvas = Canvas(np.zeros((1, 1, 3)), forged.pose)
            near = sum(canvas.bump(place, 4) for feature in forged.forged for place in PLACES[feature])
            change = np.abs(forged.image - real.image).sum(0)
            assert (change * (np.asarray(near) > 0.05)).sum() > 0.95 * change.sum() > 0


def test_human_maps_of_one_face_differ_and_mostly_mark_its_forgeries() -> None:
    random = np.random.default_rng(0)
    on: list[float] = []
    off: list[float] = []
    for _ in range(30):
        face = make_face(1, random, TRAINING)
        found, again = human_map(face, random), human_map(face, random)
        assert found.max() == 1
        assert not np.array_equal(found, again)
        canvas = Canvas(np.zeros((1, 1, 3)), face.pose)
        for feature, places in PLACES.items():
            heights = [found[canvas.bump(place, 2) > 0.9].mean() for place in places if _inside(canvas, place)]
            (on if feature in face.forged else off).extend(heights)
    assert np.mean(on) > 2 * np.mean(off)


def _inside(canvas: Canvas, place: tuple[float, float]) -> bool:
    return bool((canvas.bump(place, 2) > 0.9).any())


def test_the_stripes_in_the_background_predict_the_label_only_in_training_images() -> None:
    shares = {}
    for name in ("as in training", "no shortcut", "shortcut reversed"):
        data = make_dataset(200, 0, TEST_WORLDS[name])
        corner = data.images[:, :, :14, :14].float().mean(1)
        # The stripes have a period of 6 pixels, so that the Fourier coefficient at this period measures their energy.
        waves = torch.exp(2j * torch.pi * (torch.arange(12)[:, None] + torch.arange(12)) / 6)
        energy = (corner[:, :12, :12] * waves).mean((1, 2)).abs()
        striped = energy > 1.5
        shares[name] = (striped == (data.labels == 1)).float().mean().item()
    assert shares["as in training"] > 0.65
    assert 0.4 < shares["no shortcut"] < 0.6
    assert shares["shortcut reversed"] < 0.35


def test_saved_images_can_be_listed_as_a_folder_and_as_a_manifest(tmp_path: Path) -> None:
    save_dataset(make_dataset(4, 0, TRAINING), tmp_path)
    folder = {entry.label for entry in list_images(tmp_path / "pictures", [tmp_path])}
    manifest = list(list_images(tmp_path / "manifest.csv", [tmp_path]))
    assert folder == {entry.label for entry in manifest} == set(CLASSES)
    assert all(entry.human and Path(entry.human).is_file() for entry in manifest)


@torch.no_grad()
def test_the_loss_of_human_guided_training_equals_the_published_cyborg_loss() -> None:
    torch.manual_seed(0)
    detector, data = Detector().eval(), make_dataset(6, 0, TRAINING)
    images, targets = normalised(data.images), torch.rand(6, 16, 16)
    total = 0.0
    for n in range(6):
        features = detector.features(images[n : n + 1])
        logits = detector(images[n : n + 1])
        cam = torch.einsum("k,khw->hw", detector.head.weight[int(logits.argmax())], features[0])
        cam = (cam - cam.min()) / (cam.max() - cam.min())
        entropy = -logits.log_softmax(1)[0, data.labels[n]]
        total += float(0.5 * entropy + 0.5 * ((cam - targets[n]) ** 2).mean()) / 6
    found = loss_of(detector, images, data.labels, targets, RECIPES["human-guided"])
    assert found.item() == pytest.approx(total, abs=1e-5)


def test_shuffling_permutes_the_human_maps_and_shifting_moves_them_to_every_position() -> None:
    torch.manual_seed(0)
    maps = torch.rand(30, 4, 6)
    shuffled, moved = shuffle_maps(maps), shift_anywhere(maps)
    sums = maps.sum((1, 2)).sort().values
    for found in (shuffled, moved):
        assert torch.allclose(found.sum((1, 2)).sort().values, sums)
        assert not torch.allclose(found, maps)
    assert {tuple(each.flatten().tolist()) for each in shuffled} == {tuple(each.flatten().tolist()) for each in maps}
    assert (
        len({int(each.argmax()) for each in shift_anywhere(torch.eye(24)[:1].reshape(1, 4, 6).expand(200, 4, 6))}) == 24
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_lowers_the_loss_and_saves_a_model_that_loads(tmp_path: Path, recipe: str) -> None:
    detector, losses = train(make_dataset(96, 0, TRAINING), RECIPES[recipe], seed=0, epochs=3)
    assert losses[-1] < losses[0]
    save(detector, tmp_path / "detector.pt")
    classifier = load_classifier(tmp_path / "detector.pt", Model(preprocessing=Preprocessing(size=(SIDE, SIDE))), 2)
    assert classifier.layer
    assert classifier.layer.shape[2:] == (SIDE // 4, SIDE // 4)


def test_training_twice_with_one_seed_gives_the_same_detector() -> None:
    data = make_dataset(64, 0, TRAINING)
    one, same, other = (train(data, RECIPES["human-guided"], seed, 1)[0].head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def difference(measure: str, low: float, high: float) -> dict[str, Any]:
    ends = {"a": "cross-entropy", "b": "human-guided"}
    return {
        **ends,
        "measure": measure,
        "mean": (low + high) / 2,
        "ci95": [low, high],
        "d_z": 1.0,
        "differs": not low <= 0 <= high,
    }


@pytest.mark.parametrize(
    ("low", "high", "expected", "published"),
    [
        (0.1, 0.3, "the cross-entropy cohort has the higher value, by 0.200", "In this experiment it is lower"),
        (-0.3, -0.1, "the human-guided cohort has the higher value, by 0.200", "The same holds in this experiment"),
        (-0.1, 0.3, "does not separate the cohorts", "In this experiment it is not clearly different"),
    ],
)
def test_the_sentences_of_the_experiments_report_agree_with_its_numbers(
    low: float, high: float, expected: str, published: str
) -> None:
    results = {"differences": [difference(measure, low, high) for measure in MEASURES]}
    sentences = [line for line in read_differences(results) if line]
    assert len(sentences) == len(HIGHER)
    assert all(expected in sentence for sentence in sentences)
    assert published in next(line for line in read_published(results) if line.startswith("- `stability`"))


def test_the_help_of_the_experiment_lists_all_options() -> None:
    ended = CliRunner().invoke(main, ["--help"])
    assert ended.exit_code == 0
    assert all(option in ended.output for option in ("--quick", "--json", "--also", "others-maps", "low-entropy"))
