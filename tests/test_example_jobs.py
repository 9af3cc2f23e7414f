"""Checks that the example specs are valid."""

from pathlib import Path

import pytest

from service.spec.files import parse_spec, read_spec

JOBS = sorted((Path(__file__).parents[1] / "examples" / "jobs").glob("*.json"))


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_every_example_is_a_valid_spec(path: Path) -> None:
    assert parse_spec(read_spec(path)).cohorts


def test_the_folder_of_example_specs_is_not_empty() -> None:
    assert JOBS
