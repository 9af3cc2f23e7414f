"""What a spec's rules may name is what its results hold, each with an interval."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.gate import Rule, numbers_of
from service.gate.rules import SPREAD
from service.gate_checks import gate_problems, tree_of
from tests.audits import Ingredients, write_picture
from tests.worker.test_runner import audit, results
from worker.runner import Runner


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths of all numbers that a rule may name; of classes one stands for all."""
    if tree is None:
        yield ".".join(each for each in path if each != "mean").replace("strata.class.", "strata.class.real.")
    keys = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in keys:
        if key not in SPREAD:
            yield from leaves(value, (*path, str(key)))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which has no part in it
def test_every_number_that_a_rule_may_name_is_in_the_results_with_its_interval(
    runner: Runner, ingredients: Ingredients, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for number in range(5):
        write_picture(tmp_path / f"{number}.png", random)
    spec = ingredients.spec(
        measures=["entropy", "noise", "geometry", "stability", "degradation", "randomisation"],
        options={"noise": {"amounts": [0.1]}, "geometry": {"transforms": ["hflip"]}, "degradation": {"curve": [0.5]}},
        out_of_set={"uri": tmp_path.as_uri()},
    )
    rules = [Rule(measure=path, op=">=", value=0) for path in leaves(tree_of(spec, spec.cohorts[0]))]
    assert len(rules) > 80
    assert list(gate_problems(rules, spec)) == []
    find = numbers_of(results(runner.store, audit(runner, spec)))
    # Which pictures are right and wrong is the models' own, and there may be too few of either.
    found = {rule.measure: find(rule).interval for rule in rules if not rule.measure.startswith("strata.correct.")}
    assert [measure for measure, interval in found.items() if interval is None] == []


@pytest.mark.parametrize("measure", ["degenerate", "degenerate.mean", "runs.1.degenerate", "strata.class.x.degenerate"])
def test_a_share_of_degenerate_maps_may_be_named_but_stops_no_job(ingredients: Ingredients, measure: str) -> None:
    rule, spec = Rule(measure=measure, op="<=", value=0.5), ingredients.spec()
    assert list(gate_problems([rule], spec)) == []
    stopping = spec.model_copy(update={"stop": "when-decided"})
    ((number, field, detail),) = gate_problems([rule], stopping)
    assert (number, field) == (0, "measure")
    assert detail.endswith("leave stop out")
