"""The results have beside each similarity what unrelated images have by chance, and the number corrected for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from service.domain.job import Job
from service.domain.work import ACROSS_RUNS
from service.jobs.validation.gate import gate_problems
from service.spec.model import JobSpec
from tests.support.audits import Columns, audit, columns_of, results
from tests.support.hoaxes import HOAXES
from tests.support.jobs import AuditInputs, write_image
from tests.support.models import save_archive
from tests.support.slow_twin import slow_partners
from tests.support.soundness import ALL_OFF
from tests.support.squares import SIDE, save_squares
from worker.runner import Runner

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no test depends on it

Rows = dict[str, dict[int, Columns]]


def gate(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": [{"op": ">=", "value": -5.0, **rule} for rule in rules], "soundness": ALL_OFF}


def mean(rows: Rows, images: Sequence[str], runs: Sequence[int], column: str) -> float:
    found = [rows[image][run][column] for image in images for run in runs]
    return float(np.mean([each for each in found if each is not None]))


@pytest.fixture
def audited(runner: Runner, ingredients: AuditInputs) -> tuple[Any, Rows]:
    """The results and the numbers of each image of a cohort of three runs."""
    spec = ingredients.spec(cohorts=[ingredients.cohort("c", 0, 1, 2)], options={"noise": {"amounts": [0.1]}})
    job = audit(runner, spec)
    return results(runner.store, job)["cohorts"]["c"], columns_of(runner.store, job)


def test_chance_and_corrected_numbers_are_those_of_a_slow_twin(audited: tuple[Any, Rows]) -> None:
    tree, rows = audited
    every, real = sorted(rows), [name for name in sorted(rows) if name.startswith("real")]
    measures, own, strata = tree["measures"], tree["runs"][1]["measures"], tree["strata"]["class"]["real"]
    cases = [
        (measures["noise"], every, [0, 1, 2], "noise", "chance"),
        (measures["noise"]["parts"]["0.1"], every, [0, 1, 2], "noise.0.1.ssim", "chance"),
        (measures["geometry"], every, [0, 1, 2], "geometry", "chance"),
        (measures["degradation"]["parts"]["object"], every, [0, 1, 2], "degradation.object.ssim", "chance"),
        (measures["stability"], every, [ACROSS_RUNS], "stability", "stability.chance"),
        (own["degradation"], every, [1], "degradation", "chance"),
        (own["noise"]["parts"]["0.1"], every, [1], "noise.0.1.ssim", "chance"),
        (strata["noise"], real, [0, 1, 2], "noise", "chance"),
        (strata["stability"], real, [ACROSS_RUNS], "stability", "stability.chance"),
    ]
    for found, images, runs, column, chance in cases:
        value, by_chance = (mean(rows, images, runs, name) for name in (column, chance))
        assert found["mean"] == pytest.approx(value)
        assert found["chance"] == pytest.approx(by_chance)
        assert found["corrected"] == pytest.approx((value - by_chance) / (1 - by_chance))
        for name in ("chance", "corrected"):
            low, high = found[f"{name}_ci95"]
            assert low < found[name] < high
            assert f"{name}_note" not in found


def test_a_runs_stability_is_corrected_by_the_pairs_that_contain_the_run(audited: tuple[Any, Rows]) -> None:
    tree, rows = audited
    found = tree["runs"][1]["measures"]["stability"]
    value, by_chance = (
        np.mean([mean(rows, list(rows), [ACROSS_RUNS], f"{name}.pair.{pair}") for pair in ("0.1", "1.2")])
        for name in ("stability", "stability.chance")
    )
    assert found["corrected"] == pytest.approx((value - by_chance) / (1 - by_chance))
    assert found["corrected_ci95"][0] < found["corrected"] < found["corrected_ci95"][1]


def test_the_intervals_of_one_run_are_those_of_the_joint_variance_of_images_and_their_partners(
    runner: Runner, ingredients: AuditInputs
) -> None:
    job = audit(runner, ingredients.spec(cohorts=[ingredients.cohort("c", 0)], measures=["noise"]))
    found, rows = results(runner.store, job)["cohorts"]["c"]["measures"]["noise"], columns_of(runner.store, job)
    partners = slow_partners({name: name.partition("/")[0] for name in rows})
    names = [name for name, partner in partners.items() if partner]
    value, by_chance = (np.array([rows[name][0][column] for name in names]) for column in ("noise", "chance"))
    room = 1 - found["chance"]
    linear = value / room - (1 - found["mean"]) * by_chance / room**2
    for name, each in (("corrected", linear), ("chance", by_chance)):
        deviations = dict(zip(names, each - each.mean(), strict=True))
        together = sum(
            deviations[name] * deviations[partners[name]]  # type: ignore[index]  # the names with a partner
            for name in names
            if partners[name] in deviations
        )
        variance = each.var(ddof=1) / len(names) + max(0.0, 2 * together / len(names) ** 2)
        reach = stats.t.ppf(0.975, len(names) - 1) * np.sqrt(variance)
        low, high = found[name] - reach, found[name] + reach
        assert found[f"{name}_ci95"] == pytest.approx(
            [max(low, -1) if name == "chance" else low, min(high, 1)], rel=0.01
        )


def test_only_similarities_that_should_follow_the_image_have_a_chance(audited: tuple[Any, Rows]) -> None:
    measures = audited[0]["measures"]
    without = (measures["entropy"], measures["degradation"]["parts"]["gap"], measures["stability"]["parts"]["resized"])
    assert not any(key.startswith(("chance", "corrected")) for each in without for key in each)


def test_a_gate_judges_a_corrected_number_by_statistic_or_by_path(runner: Runner, ingredients: AuditInputs) -> None:
    rules: list[dict[str, Any]] = [
        {"measure": "noise", "statistic": "corrected"},
        {"measure": "noise.corrected", "value": 1.1},
        {"measure": "noise.parts.0.1", "statistic": "chance"},
        {"measure": "strata.class.real.stability.corrected"},
        {"measure": "runs.0.measures.degradation.parts.object.corrected"},
    ]
    spec = ingredients.spec(cohorts=[ingredients.cohort("c", 0, 1, 2)], gate=gate(*rules))
    assert spec.gate is not None
    assert list(gate_problems(spec.gate.rules, spec)) == []
    job = audit(runner, spec)
    assert job.verdict is not None
    assert [each["outcome"] for each in job.verdict["rules"]] == ["pass", "fail", "pass", "pass", "pass"]
    found = results(runner.store, job)["cohorts"]["c"]["measures"]["noise"]
    for each in job.verdict["rules"][:2]:
        assert (each["number"], each["interval"]) == (found["corrected"], found["corrected_ci95"])


def many_images(tmp_path: Path) -> dict[str, Any]:
    random = np.random.default_rng(1)
    for number in range(96):
        write_image(tmp_path / "many" / "ab"[number % 2] / f"{number}.png", random, side=24)
    return {"uri": (tmp_path / "many").as_uri()}


def stopping(runner: Runner, ingredients: AuditInputs, tmp_path: Path, *rules: dict[str, Any]) -> Job:
    return audit(
        runner,
        ingredients.spec(
            cohorts=[ingredients.cohort("c", 0)], images=many_images(tmp_path), measures=["entropy", "noise"],
            options={"noise": {"amounts": [0.1]}}, gate=gate(*rules), stop="when-decided",
        ),
    )  # fmt: skip


def test_a_rule_on_a_corrected_number_decides_only_at_the_end(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    job = stopping(runner, ingredients, tmp_path, {"measure": "entropy"}, {"measure": "noise.corrected"})
    assert job.stopped_at is None
    assert job.verdict is not None
    assert [each["outcome"] for each in job.verdict["rules"]] == ["pass", "pass"]
    assert job.so_far is not None
    first, second = job.so_far["verdict"]["rules"]
    assert (first["outcome"], second["outcome"]) == ("pass", "error")
    assert "noise.corrected has an interval only once all images are audited" in second["reason"]
    found = results(runner.store, job)["cohorts"]["c"]["measures"]["noise"]
    assert job.verdict["rules"][1]["interval"] == found["corrected_ci95"]
    assert job.so_far["cohorts"]["c"]["measures"]["noise"]["corrected"] is not None


def test_a_job_that_stops_early_gives_corrected_numbers_without_intervals(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    job = stopping(runner, ingredients, tmp_path, {"measure": "entropy"})
    assert job.stopped_at is not None
    tree = results(runner.store, job)["cohorts"]["c"]
    for found in (
        tree["measures"]["noise"],
        tree["runs"][0]["measures"]["noise"],
        tree["strata"]["class"]["a"]["noise"],
    ):
        assert found["ci95"] is not None
        for name in ("chance", "corrected"):
            assert found[name] is not None
            assert found[f"{name}_ci95"] is None
            assert "stopped early" in found[f"{name}_note"]


def test_a_model_whose_maps_never_change_has_no_corrected_number(runner: Runner, tmp_path: Path) -> None:
    path = save_archive(HOAXES["one map for all images"]().eval(), tmp_path / "model.pt", SIDE)
    preprocessing = {"size": [SIDE, SIDE], "mean": [0, 0, 0], "std": [1, 1, 1]}
    cohort = {"name": "c", "model": {"preprocessing": preprocessing}, "runs": [{"uri": path.as_uri()}]}
    images = {"uri": save_squares(tmp_path / "squares", 12).as_uri()}
    body = {"cohorts": [cohort], "images": images, "gate": gate({"measure": "noise.corrected"})}
    job = audit(
        runner, JobSpec.model_validate({**body, "measures": ["noise"], "options": {"noise": {"amounts": [0.05]}}})
    )
    tree = results(runner.store, job)["cohorts"]["c"]
    for found in (
        tree["measures"]["noise"],
        tree["measures"]["noise"]["parts"]["0.05"],
        tree["runs"][0]["measures"]["noise"],
    ):
        assert found["chance"] > 0.99
        assert found["chance_ci95"] is not None
        assert (found["corrected"], found["corrected_ci95"]) == (None, None)
        assert found["corrected_note"].startswith("maps hardly depend on the image")
    assert job.verdict is not None
    assert job.verdict["outcome"] == "error"
    assert "maps hardly depend on the image" in job.verdict["reason"]
