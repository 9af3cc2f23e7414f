from pathlib import Path

import numpy as np
import pytest
import torch

from examples.demo.pictures import CLASSES, SIDE, make_examples, save_examples
from examples.demo.training import save, train
from service.image_sets import list_images
from service.spec import Model, Preprocessing
from service.spec_files import parse_spec, read_spec
from worker.classifiers.load import load_classifier

JOBS = sorted((Path(__file__).parents[1] / "examples" / "jobs").glob("*.json"))


def test_a_seed_gives_the_same_pictures_and_another_gives_others() -> None:
    once, again, other = (make_examples(4, seed, shortcut=True) for seed in (1, 1, 2))
    for a, b, c in zip(once, again, other, strict=True):
        assert np.array_equal(a.picture, b.picture)
        assert not np.array_equal(a.picture, c.picture)


def test_pictures_are_of_both_classes_and_the_truth_lies_on_the_eyes() -> None:
    for number, example in enumerate(make_examples(6, 0, shortcut=False)):
        assert example.label == number % 2
        assert example.picture.shape == (3, SIDE, SIDE)
        assert 0 <= example.picture.min() <= example.picture.max() <= 1
        assert example.human.argmax() // SIDE < SIDE // 2


def test_saved_pictures_are_an_image_set_as_folder_and_as_manifest(tmp_path: Path) -> None:
    save_examples(make_examples(4, 0, shortcut=False), tmp_path)
    folder, manifest = (
        {e.name: e.label for e in list_images(s, [tmp_path])} for s in (tmp_path, tmp_path / "manifest.csv")
    )
    assert folder == manifest
    assert set(folder.values()) == set(CLASSES)


@pytest.mark.parametrize("guided", [False, True])
def test_training_learns_and_its_archive_is_a_model(tmp_path: Path, guided: bool) -> None:
    detector, losses = train(make_examples(96, 0, shortcut=True), seed=0, epochs=3, guided=guided)
    assert losses[-1] < losses[0]
    save(detector, tmp_path / "detector.pt")
    classifier = load_classifier(tmp_path / "detector.pt", Model(preprocessing=Preprocessing(size=(SIDE, SIDE))), 2)
    assert classifier.layer
    assert classifier.layer.shape[2:] == (SIDE // 4, SIDE // 4)
    assert classifier.explain(torch.zeros(2, 3, SIDE, SIDE)).logits.shape == (2, 2)


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_every_example_is_a_job(path: Path) -> None:
    assert parse_spec(read_spec(path)).cohorts


def test_there_are_examples() -> None:
    assert JOBS
