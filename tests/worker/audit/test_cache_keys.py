"""A cache key changes with everything that the numbers depend on, and with nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.domain.work import ACROSS_RUNS
from service.spec.model import JobSpec
from worker.audit.cache_keys import CacheKeys, ImageFacts

IMAGE = ImageFacts("5" * 64, "6" * 64, "real", "9" * 64)
FACTS: dict[str, Any] = {
    "preprocessing": {"size": [24, 24]},
    "layer": "features",
    "classes": {"real": 0, "synthetic": 1, "genuine": 0},
    "runs": [{"sha256": "a", "activation": "auto"}, {"sha256": "b", "activation": "auto"}],
}


def keys(facts: dict[str, Any] | None = None, **changes: Any) -> CacheKeys:
    cohort = {"name": "c", "model": changes.pop("model", {}), "runs": [{"uri": "file:///1"}, {"uri": "file:///2"}]}
    body = {"cohorts": [cohort], "images": {"uri": "file:///i"}, **changes}
    spec = JobSpec.model_validate(body)
    columns = tuple(measure for measure in spec.measures if measure != "stability")
    return CacheKeys(spec, 0, FACTS | (facts or {}), 16, "cpu", (columns, ("stability",)))


Make = Callable[[], CacheKeys]
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
    "probabilities": lambda: keys({"runs": [{**run, "activation": "probabilities"} for run in FACTS["runs"]]}),
    "preprocessing": lambda: keys({"preprocessing": {"size": [24, 32]}}),
    "layer": lambda: keys({"layer": "stem"}),
    "chunk": lambda: replace(keys(), chunk=8),
    "device": lambda: replace(keys(), device="NVIDIA H100"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_a_key_changes_with_each_setting_that_numbers_depend_on(other: Make) -> None:
    assert other().for_row(0, IMAGE) != keys().for_row(0, IMAGE)


OTHER_IMAGES = [
    replace(IMAGE, sha256="7" * 64), replace(IMAGE, label="synthetic"), replace(IMAGE, partner="7" * 64),
    replace(IMAGE, partner=None),
]  # fmt: skip


@pytest.mark.parametrize("picture", OTHER_IMAGES)
@pytest.mark.parametrize("run", [0, ACROSS_RUNS])
def test_a_key_changes_with_the_image_and_its_class_but_not_its_label(picture: ImageFacts, run: int) -> None:
    assert keys().for_row(run, picture) != keys().for_row(run, IMAGE)
    assert keys().for_row(run, replace(IMAGE, label="genuine")) == keys().for_row(run, IMAGE)


def test_the_key_of_a_run_depends_on_its_model_and_not_on_its_position() -> None:
    turned = keys({"runs": FACTS["runs"][::-1]})
    assert turned.for_row(1, IMAGE) == keys().for_row(0, IMAGE) != keys().for_row(1, IMAGE)
    assert turned.for_row(ACROSS_RUNS, IMAGE) != keys().for_row(ACROSS_RUNS, IMAGE)


def test_the_key_of_per_run_numbers_does_not_depend_on_measures_across_runs_and_vice_versa() -> None:
    alone = ["entropy", "noise", "geometry", "degradation"]
    assert keys(measures=alone).for_row(0, IMAGE) == keys(measures=[*alone, "stability"]).for_row(0, IMAGE)
    assert keys(measures=alone, seed=1).for_row(ACROSS_RUNS, IMAGE) == keys().for_row(ACROSS_RUNS, IMAGE)


def test_a_key_changes_with_the_human_map_if_the_spec_has_the_measure_human() -> None:
    other = replace(IMAGE, human="8" * 64)
    human = keys(measures=["entropy", "human"])
    assert human.for_row(0, other) != human.for_row(0, IMAGE)
    assert keys().for_row(0, other) == keys().for_row(0, IMAGE)


def test_a_key_does_not_change_with_names_or_with_a_seed_that_no_number_depends_on() -> None:
    plain: dict[str, Any] = {"measures": ["entropy", "geometry", "degradation"], "salience": {"method": "gradcam"}}
    named = keys(
        **plain,
        seed=9,
        name="n",
        labels={"a": "b"},
        shard_size=3,
        model={"format": "torchscript", "outputs": {"attack_class": "real"}},
    )
    assert named.for_row(0, IMAGE) == keys(**plain).for_row(0, IMAGE)
    seeds: tuple[dict[str, Any], ...] = (
        {"options": {"degradation": {"curve": [0.5]}}},
        {"salience": {"method": "rise"}},
    )
    for seeded in seeds:
        assert keys(**plain | seeded, seed=9).for_row(0, IMAGE) != keys(**plain | seeded).for_row(0, IMAGE)


def test_keys_of_blurred_images_depend_on_the_other_runs_on_a_gpu_only() -> None:
    gpu, more = (replace(keys(facts), device="NVIDIA H100") for facts in ({}, {"runs": FACTS["runs"][:1]}))
    assert gpu.for_row(0, IMAGE) != more.for_row(0, IMAGE)
    assert keys({"runs": FACTS["runs"][:1]}).for_row(0, IMAGE) == keys().for_row(0, IMAGE)
