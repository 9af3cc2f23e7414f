"""Links out of the allowed roots are refused anywhere in the folder of a model or an image set; other links work."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import InputRefused
from service.inputs.model_files import find_model
from service.jobs.validation.fields import InputLocator, find_problems
from tests.support.image_sets import as_tar, model_at
from tests.support.jobs import AuditInputs
from tests.support.pretrained import make_vit, save_pretrained
from worker.inputs.digests import digest_path, stamp_path
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver

OUTSIDE = "a link that leads outside the allowed roots"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return the only allowed root. The folder `secret` beside it is not allowed."""
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").mkdir()
    return tmp_path / "root"


@pytest.fixture
def narrow(places: InputResolver, inside: Path) -> InputResolver:
    return InputResolver((inside,), places.artifacts, places.cache)


def weights(inside: Path, secret: Path, _: AuditInputs) -> Path:
    return linked(save_pretrained(make_vit(), inside / "vit"), "model.safetensors", secret)


def configuration(inside: Path, secret: Path, _: AuditInputs) -> Path:
    return linked(save_pretrained(make_vit(), inside / "vit"), "config.json", secret)


def folder_of_a_registry(inside: Path, secret: Path, ingredients: AuditInputs) -> Path:
    shutil.copy(ingredients.models[0], secret / "m.pt")
    (inside / "MLmodel").touch()
    (inside / "data").symlink_to(secret)
    return inside


def folder_behind_a_link_within(inside: Path, secret: Path, ingredients: AuditInputs) -> Path:
    shutil.copy(ingredients.models[0], secret / "m.pt")
    (inside / "other").mkdir()
    (inside / "other" / "m.pt").symlink_to(secret / "m.pt")
    (inside / "model").mkdir()
    (inside / "model" / "MLmodel").touch()
    (inside / "model" / "data").symlink_to(inside / "other")
    return inside / "model"


def linked(folder: Path, name: str, secret: Path) -> Path:
    (folder / name).rename(secret / name)
    (folder / name).symlink_to(secret / name)
    return folder


MODELS = [weights, configuration, folder_of_a_registry, folder_behind_a_link_within]
Make = Callable[[Path, Path, AuditInputs], Path]


@pytest.mark.parametrize("make", MODELS, ids=lambda each: each.__name__)
def test_a_models_folder_with_a_link_out_of_the_roots_is_refused_by_worker_and_api(
    make: Make, narrow: InputResolver, inside: Path, ingredients: AuditInputs
) -> None:
    folder = make(inside, inside.parent / "secret", ingredients)
    with pytest.raises(InputRefused, match=OUTSIDE) as refused:
        model_at(narrow, str(folder))
    assert "secret" not in str(refused.value)
    spec = ingredients.spec(cohorts=[{"name": "one", "runs": [{"uri": folder.as_uri()}]}], measures=["entropy"])
    (problem,) = (
        each for each in find_problems(spec, InputLocator((inside,), narrow.artifacts)) if "cohorts" in each.field
    )
    assert (problem.field, OUTSIDE in problem.detail) == ("cohorts[0].runs[0].uri", True)


def test_a_models_folder_with_links_inside_the_roots_is_read_and_digested_by_their_targets(
    narrow: InputResolver, inside: Path, ingredients: AuditInputs
) -> None:
    """Hugging Face's cache and registries store models in this layout."""
    (inside / "blobs").mkdir()
    folder = linked(save_pretrained(make_vit(), inside / "vit"), "model.safetensors", inside / "blobs")
    assert find_model(model_at(narrow, str(folder))).format == "transformers"
    (inside / "versions").mkdir()
    shutil.copy(ingredients.models[0], inside / "versions" / "m.pt")
    (inside / "registered").mkdir()
    (inside / "registered" / "MLmodel").touch()
    (inside / "registered" / "data").symlink_to(inside / "versions")
    found = model_at(narrow, str(inside / "registered"))
    before = digest_path(found), stamp_path(found)
    shutil.copy(ingredients.models[1], inside / "versions" / "m.pt")
    assert digest_path(found) != before[0]
    assert stamp_path(found) != before[1]


def a_folder(inside: Path, secret: Path, ingredients: AuditInputs) -> None:
    shutil.copytree(ingredients.images, secret / "pictures")
    (inside / "real").symlink_to(secret / "pictures")


def a_shard(inside: Path, secret: Path, ingredients: AuditInputs) -> None:
    (inside / "real").symlink_to(as_tar(ingredients.images, secret))
    (inside / "real").rename(inside / "real.tar")


@pytest.mark.parametrize("make", [a_folder, a_shard])
def test_an_image_sets_folder_with_a_link_out_of_the_roots_is_not_listed(
    make: Callable[[Path, Path, AuditInputs], None], narrow: InputResolver, inside: Path, ingredients: AuditInputs
) -> None:
    make(inside, inside.parent / "secret", ingredients)
    with pytest.raises(InputRefused, match=OUTSIDE) as refused:
        list(narrow.list_images(str(inside)))
    assert "secret" not in str(refused.value)
    spec = ingredients.spec(images={"uri": inside.as_uri()})
    (problem,) = (
        each for each in find_problems(spec, InputLocator((inside,), narrow.artifacts)) if "images" in each.field
    )
    assert (problem.field, OUTSIDE in problem.detail) == ("images.uri", True)


def test_an_image_set_with_links_inside_the_roots_is_read(
    narrow: InputResolver, inside: Path, ingredients: AuditInputs
) -> None:
    shutil.copytree(ingredients.images, inside / "stored")
    (inside / "set").mkdir()
    for each in (inside / "stored").iterdir():
        (inside / "set" / each.name).symlink_to(each)
    read = image_opener(narrow)
    assert all(read(entry.path) for entry in narrow.list_images(str(inside / "set")))
