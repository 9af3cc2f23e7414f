"""Each value of a group column in a manifest has a stratum of its own, wherever results show strata."""

import csv
from pathlib import Path
from typing import Any

import pytest

from service.gate import Rule, number_lookup
from service.jobs.validation.gate import gate_problems
from service.spec.model import JobSpec
from tests.support.audits import audit, failure, results
from tests.support.jobs import AuditInputs
from worker.runner import Runner

PLAIN, HOSTILE = "print", "a.b</script>\u202e=1+1 .entropy"


def manifest(ingredients: AuditInputs, folder: Path, **columns: Any) -> Path:
    """Write a manifest with group columns. Each column is a function from an image's number to its value."""
    path = folder / "set.csv"
    pictures = sorted(ingredients.images.rglob("*.png"))
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", *columns])
        for number, each in enumerate(pictures):
            rows.writerow([str(each), each.parent.name, *(of(number) for of in columns.values())])
    return path


def spec(ingredients: AuditInputs, source: Path, groups: list[str], **changes: Any) -> JobSpec:
    images = {"uri": source.as_uri(), "groups": groups}
    return ingredients.spec(**{"images": images, "measures": ["entropy", "stability"], **changes})


@pytest.fixture
def source(ingredients: AuditInputs, tmp_path: Path) -> Path:
    """Write a manifest in which six images have one value of `kind`, three images another, and three images none."""
    return manifest(ingredients, tmp_path, kind=lambda n: PLAIN if n < 6 else HOSTILE if n < 9 else "")


def test_results_have_numbers_for_each_value_of_a_group_column(
    runner: Runner, ingredients: AuditInputs, source: Path
) -> None:
    found = results(runner.store, audit(runner, spec(ingredients, source, ["kind"])))
    strata = found["cohorts"]["plain"]["strata"]
    assert {name: each["entropy"]["n"] for name, each in strata["kind"].items()} == {PLAIN: 12, HOSTILE: 6}
    assert strata["kind"][PLAIN]["entropy"]["mean"] == strata["class"]["real"]["entropy"]["mean"]
    assert strata["kind"][PLAIN]["stability"]["mean"] == strata["class"]["real"]["stability"]["mean"]


def test_a_gate_can_judge_and_compare_cohorts_on_the_images_of_a_group(
    runner: Runner, ingredients: AuditInputs, source: Path
) -> None:
    paths = [f"strata.kind.{value}.{number}" for value in (PLAIN, HOSTILE) for number in ("entropy", "degenerate")]
    rules = [Rule(measure=path, cohort="plain", op=">=", value=0) for path in paths]
    rules.append(Rule(measure=f"strata.kind.{PLAIN}.entropy", cohort="plain", versus="other", op=">=", margin=0.5))
    cohorts = [ingredients.cohort("plain", 0), ingredients.cohort("other", 1)]
    gate = {"rules": [rule.model_dump() for rule in rules]}
    request = spec(ingredients, source, ["kind"], cohorts=cohorts, measures=["entropy"], gate=gate)
    assert list(gate_problems(rules, request)) == []
    find = number_lookup(results(runner.store, audit(runner, request)))
    assert all(find(rule) for rule in rules)
    assert find(rules[-1]).interval is not None


def test_a_group_column_with_too_many_values_or_without_values_is_refused(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    source = tmp_path / "many.csv"
    picture = next(ingredients.images.rglob("*.png"))
    lines = [f"{picture}?{number},{number},\n" for number in range(51)]
    source.write_text("image,camera,empty\n" + "".join(lines))
    for column, message in (("camera", "'camera' has 51 values, more than 50"), ("empty", "no image has a value")):
        error = failure(audit(runner, spec(ingredients, source, [column])))
        assert error["field"] == "images.groups" and message in error["detail"]


def test_group_columns_are_refused_for_a_folder_of_images(runner: Runner, ingredients: AuditInputs) -> None:
    error = failure(audit(runner, spec(ingredients, ingredients.images, ["camera"])))
    assert error["field"] == "images.groups" and "'camera'" in error["detail"]


def test_interim_results_have_the_same_groups_as_final_results(
    runner: Runner, ingredients: AuditInputs, source: Path
) -> None:
    gate = {"rules": [{"measure": f"strata.kind.{PLAIN}.entropy", "op": ">=", "value": 0.0}]}
    request = spec(ingredients, source, ["kind"], gate=gate, stop="when-decided")
    found = results(runner.store, audit(runner, request))
    assert found["cohorts"]["plain"]["strata"]["kind"][PLAIN]["entropy"]["ci95"][0] >= 0
