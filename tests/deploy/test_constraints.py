"""Checks that every dependency of the container images is pinned to a version that pyproject.toml allows."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
IMAGE_EXTRAS = ("worker", "formats", "clouds", "traces")


def test_every_dependency_of_the_container_images_is_pinned_to_an_allowed_version() -> None:
    lines = (ROOT / "deploy" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    required = project["dependencies"] + [each for extra in IMAGE_EXTRAS for each in extras[extra]]
    for each in map(Requirement, required):
        version = pinned.get(canonicalize_name(each.name))
        assert version, f"{each.name} is not pinned; run `make lock`"
        assert version in each.specifier, f"{each.name} {version} is out of range; run `make lock`"


def test_no_pinned_version_depends_on_the_machine_that_made_the_file() -> None:
    text = (ROOT / "deploy" / "constraints.txt").read_text()
    assert "+" not in text
    assert "://" not in text
    assert "/" not in text
