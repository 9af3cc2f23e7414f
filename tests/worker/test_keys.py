"""A key changes with all that numbers depend on, and with nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.domain import ACROSS_RUNS
from service.spec import JobSpec
from worker.keys import Keys, PictureFacts

PICTURE = PictureFacts("5" * 64, "6" * 64, "real")
FACTS: dict[str, Any] = {
    "preprocessing": {"size": [24, 24]},
    "layer": "features",
    "classes": {"real": 0, "synthetic": 1, "genuine": 0},
    "runs": [{"sha256": "a"}, {"sha256": "b"}],
}


def keys(facts: dict[str, Any] | None = None, **changes: Any) -> Keys:
    cohort = {"name": "c", "model": changes.pop("model", {}), "runs": [{"uri": "file:///1"}, {"uri": "file:///2"}]}
    body = {"cohorts": [cohort], "images": {"uri": "file:///i"}, **changes}
    spec = JobSpec.model_validate(body)
    columns = tuple(measure for measure in spec.measures if measure != "stability")
    return Keys(spec, 0, FACTS | (facts or {}), 16, "cpu", (columns, ("stability",)))


Make = Callable[[], Keys]
OTHERS: dict[str, Make] = {
    "seed": lambda: keys(seed=1),
    "noise": lambda: keys(options={"noise": {"amounts": [0.2]}}),
    "measures": lambda: keys(measures=["entropy", "stability"]),
    "precision": lambda: keys(precision="bfloat16"),
    "target": lambda: keys(salience={"target": "clean"}),
    "method": lambda: keys(salience={"method": "layercam"}),
    "steps": lambda: keys(salience={"method": "integrated_gradients"}),
    "outputs": lambda: keys(model={"outputs": {"single": "class-0"}}),
    "activation": lambda: keys(model={"outputs": {"activation": "probabilities"}}),
    "preprocessing": lambda: keys({"preprocessing": {"size": [24, 32]}}),
    "layer": lambda: keys({"layer": "stem"}),
    "chunk": lambda: replace(keys(), chunk=8),
    "device": lambda: replace(keys(), device="NVIDIA H100"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_a_key_changes_with_what_numbers_depend_on(other: Make) -> None:
    assert other().of(0, PICTURE) != keys().of(0, PICTURE)


@pytest.mark.parametrize("picture", [replace(PICTURE, sha256="7" * 64), replace(PICTURE, label="synthetic")])
@pytest.mark.parametrize("run", [0, ACROSS_RUNS])
def test_a_key_changes_with_the_picture_and_its_class(picture: PictureFacts, run: int) -> None:
    assert keys().of(run, picture) != keys().of(run, PICTURE)
    assert keys().of(run, replace(PICTURE, label="genuine")) == keys().of(run, PICTURE)


def test_a_runs_key_is_its_models_and_not_its_place() -> None:
    turned = keys({"runs": FACTS["runs"][::-1]})
    assert turned.of(1, PICTURE) == keys().of(0, PICTURE) != keys().of(1, PICTURE)
    assert turned.of(ACROSS_RUNS, PICTURE) != keys().of(ACROSS_RUNS, PICTURE)


def test_the_rest_of_the_cohort_and_the_other_measures_leave_a_row_as_it_is() -> None:
    alone = ["entropy", "noise", "geometry", "degradation"]
    assert keys(measures=alone).of(0, PICTURE) == keys(measures=[*alone, "stability"]).of(0, PICTURE)
    assert keys(measures=alone, seed=1).of(ACROSS_RUNS, PICTURE) == keys().of(ACROSS_RUNS, PICTURE)


def test_a_human_map_counts_where_the_measure_is_asked_for() -> None:
    other = replace(PICTURE, human="8" * 64)
    human = keys(measures=["entropy", "human"])
    assert human.of(0, other) != human.of(0, PICTURE)
    assert keys().of(0, other) == keys().of(0, PICTURE)


def test_a_seed_that_nothing_goes_by_and_names_do_not_count() -> None:
    plain: dict[str, Any] = {"measures": ["entropy", "geometry", "degradation"], "salience": {"method": "gradcam"}}
    named = keys(**plain, seed=9, name="n", labels={"a": "b"}, shard_size=3, model={"format": "torchscript"})
    assert named.of(0, PICTURE) == keys(**plain).of(0, PICTURE)
    seeds: tuple[dict[str, Any], ...] = (
        {"options": {"degradation": {"curve": [0.5]}}},
        {"salience": {"method": "rise"}},
    )
    for seeded in seeds:
        assert keys(**plain | seeded, seed=9).of(0, PICTURE) != keys(**plain | seeded).of(0, PICTURE)


def test_on_a_gpu_blurred_pictures_go_by_the_whole_cohort() -> None:
    gpu, more = (replace(keys(facts), device="NVIDIA H100") for facts in ({}, {"runs": [{"sha256": "a"}]}))
    assert gpu.of(0, PICTURE) != more.of(0, PICTURE)
    assert keys({"runs": [{"sha256": "a"}]}).of(0, PICTURE) == keys().of(0, PICTURE)
