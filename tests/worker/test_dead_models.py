"""Audits "dead" cohorts, whose maps are all zeros, and checks each format in which users read the results."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sqlalchemy import update
from torch import nn

from salience.models import Verdict
from salience.results import Results
from service.commands.figure import draw
from service.commands.results_table import print_results
from service.domain.format import FORMAT
from service.domain.job import Job
from service.spec.model import JobSpec
from service.storage import Store
from service.storage.tables.jobs import SummaryRow
from tests.support.audits import audit, results
from tests.support.known_models import Signed
from tests.support.models import save_archive
from tests.support.soundness import ALL_OFF
from worker.runner import Runner

SIDE, IMAGES = 32, 12
MEASURES = ["entropy", "noise", "geometry", "stability", "degradation"]
OPTIONS = {"noise": {"amounts": [0.05, 0.5]}, "geometry": {"transforms": ["hflip"]}, "degradation": {"curve": [0.5]}}
LIVE, DEAD = (Signed(1), Signed(1, seed=1)), (Signed(-1), Signed(-1, seed=1))
RULES = [
    {"measure": "entropy", "op": "<=", "value": 1.0},
    {"measure": "noise.parts.0.05", "op": ">=", "value": -1.0},
    {"measure": "degradation", "op": ">=", "value": -1.0, "statistic": "pearson"},
    {"measure": "accuracy", "op": ">=", "value": 0.0},
    {"measure": "degenerate", "op": "<=", "value": 1.0},
]
# The models are untrained.
ONLY_DEGENERATE = {name: off for name, off in ALL_OFF.items() if name != "degenerate"}

# These tests do not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images of bright squares on a dark background; in the first three images, the square is darker than 0.5."""
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        image = random.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        at = random.integers(0, SIDE - 12, 2)
        image[at[0] : at[0] + 12, at[1] : at[1] + 12] = 100 if number < 3 else 230
        folder = tmp_path / "images" / f"class-{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return tmp_path / "images"


def spec(images: Path, cohorts: Mapping[str, Sequence[nn.Module]], **changes: Any) -> JobSpec:
    """Save models beside the images, and return a spec with a cohort of each model."""
    model = {"preprocessing": {"size": [SIDE, SIDE], "mean": [0, 0, 0], "std": [1, 1, 1]}}
    named = []
    for name, nets in cohorts.items():
        paths = [save_archive(net.eval(), images.parent / f"{name}-{n}.pt", SIDE) for n, net in enumerate(nets)]
        named.append({"name": name, "model": model, "runs": [{"uri": path.as_uri()} for path in paths]})
    body = {"cohorts": named, "images": {"uri": images.as_uri()}, "measures": MEASURES, "options": OPTIONS}
    return JobSpec.model_validate(body | changes)


def gate_for(*cohorts: str) -> dict[str, Any]:
    rules = [{**rule, "cohort": cohort} for cohort in cohorts for rule in RULES]
    return {"rules": rules, "soundness": ONLY_DEGENERATE}


def wilson_interval(count: int, maps: int) -> list[Any]:
    twin = stats.binomtest(count, maps).proportion_ci(method="wilson")
    return [pytest.approx(twin.low), pytest.approx(twin.high)]


@pytest.fixture
def both(runner: Runner, images: Path) -> tuple[Job, dict[str, Any]]:
    """Audit a dead cohort and a live cohort. Return the job and its results."""
    versus = {"measure": "noise", "cohort": "live", "versus": "dead", "op": ">=", "margin": 2.0}
    gate = {**gate_for("dead", "live"), "rules": [*gate_for("dead", "live")["rules"], versus]}
    job = audit(runner, spec(images, {"dead": DEAD, "live": LIVE}, gate=gate))
    return job, results(runner.store, job)


def test_every_rule_about_a_dead_cohort_is_an_error_with_the_share_of_degenerate_maps(
    both: tuple[Job, dict[str, Any]],
) -> None:
    job, found = both
    assert job.verdict is not None
    rules = job.verdict["rules"]
    assert [each["outcome"] for each in rules] == ["error"] * 5 + ["pass"] * 5 + ["error"]
    assert job.verdict["outcome"] == "error"
    for each in (*rules[:5], rules[-1]):
        assert (
            "check degenerate of 'dead' fails: 100.0 % of the maps show no salience (95 % interval 86.2 %"
            in each["reason"]
        )
    assert "100.0 % of the maps" in job.verdict["reason"]
    dead, live = (found["cohorts"][name]["degenerate"] for name in ("dead", "live"))
    assert dead == {"mean": 1.0, "ci95": wilson_interval(24, 24), "count": 24, "n": 24}
    assert live == {"mean": 0.0, "ci95": wilson_interval(0, 24), "count": 0, "n": 24}
    assert found["cohorts"]["dead"]["runs"][0]["degenerate"]["ci95"] == wilson_interval(12, 12)


def test_a_dead_cohort_has_only_numbers_from_predictions(both: tuple[Job, dict[str, Any]]) -> None:
    _, found = both
    dead = found["cohorts"]["dead"]
    for name, measure in dead["measures"].items():
        count = IMAGES if name == "stability" else 2 * IMAGES
        assert (measure["mean"], measure["ci95"], measure["n"], measure["missing"]) == (None, None, 0, count), name
    assert dead["measures"]["stability"]["parts"]["matrix"] == [[None, None], [None, None]]
    assert dead["accuracy"] is not None
    assert dead["measures"]["noise"]["parts"]["0.5"]["probability_change"] is not None
    assert {each["measure"] for each in found["differences"]} == {"accuracy"}


def test_missing_numbers_are_empty_in_csv_json_report_figure_and_table(
    both: tuple[Job, dict[str, Any]],
    api: httpx.Client,
    runner: Runner,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job, found = both
    images = f"/v1/jobs/{job.id}/images"
    rows = list(csv.DictReader(io.StringIO(api.get(images, headers={"Accept": "text/csv"}).text)))
    assert {row["noise"] for row in rows if row["cohort"] == "dead"} == {""}
    assert {row["stability"] for row in rows if (row["cohort"], row["run"]) == ("dead", "across")} == {""}
    assert "" not in {row["noise"] for row in rows if (row["cohort"], row["run"]) == ("live", "0")}
    response = api.get(images)
    assert "NaN" not in response.text
    first = response.json()["items"][0]["cohorts"]["dead"]
    assert (first["runs"][0]["noise"], first["runs"][0]["entropy"], first["across"]["stability"]) == (None, None, None)
    while runner.work():
        pass
    page = api.get(f"/v1/jobs/{job.id}/report")
    assert page.status_code == 200
    assert "100.0 % of the maps show no salience (95 % interval 86.2 % to 100.0 %)" in page.text
    assert not re.search(r"\bnan\b", page.text, re.IGNORECASE)
    sentence = "Do not rely on the numbers of dead"
    assert page.text.index(sentence) < page.text.index('id="verdict"') < page.text.index('class="headline"')
    assert sentence in api.get(f"/jobs/{job.id}").text
    assert ">unsound</span>" in api.get("/").text
    assert api.get("/compare", params={"a": job.id, "b": audit(runner, job.spec).id}).status_code == 200
    for measure in MEASURES:
        assert draw(found, measure, "svg").startswith(b"<?xml")
    print_results(found)
    shown = capsys.readouterr().out
    assert "1.000 [0.862, 1.000]" in shown
    assert shown.index("failed: degenerate of 'dead': 100.0 % of the maps") < shown.index("Mean of each measure")
    parsed = Results.from_json(found)
    checks = {(each.cohort, each.run): each for each in parsed.soundness if each.name == "degenerate"}
    assert {key: each.status for key, each in checks.items() if each.status == "failed"} == {
        ("dead", run): "failed" for run in (None, 0, 1)
    }
    assert checks["dead", None].ci95 == parsed.degenerate["dead"].ci95
    judged = Verdict.from_json(found["verdict"]).soundness
    assert [each.name for each in judged if each.status == "failed"] == ["degenerate"]
    assert parsed.degenerate["dead"].ci95 == tuple(found["cohorts"]["dead"]["degenerate"]["ci95"])
    assert (parsed.cohorts["dead"]["noise"].n, parsed.cohorts["dead"]["noise"].missing) == (0, 24)
    assert {row[3] for row in parsed.rows() if row[0] == "dead"} == {0}


def test_missing_numbers_stay_missing_when_they_are_read_from_the_cache(runner: Runner, images: Path) -> None:
    request = spec(images, {"some": (Signed(1, 0.5), Signed(1))})
    first, again = audit(runner, request), audit(runner, request)
    assert (again.passes_done, again.passes_reused) == (0, first.passes_total)
    assert results(runner.store, again)["cohorts"] == results(runner.store, first)["cohorts"]


def test_a_run_with_some_degenerate_maps_lacks_only_the_numbers_of_those_images(
    runner: Runner, images: Path, store: Store
) -> None:
    nets = (Signed(1), Signed(1, seed=1), Signed(1, 0.5, seed=2))
    job = audit(runner, spec(images, {"c": nets}))
    found = results(store, job)["cohorts"]["c"]
    pair = results(store, audit(runner, spec(images, {"two": nets[:2]})))["cohorts"]["two"]
    assert [run["degenerate"]["count"] for run in found["runs"]] == [0, 0, 3]
    assert found["degenerate"]["ci95"] == wilson_interval(3, 36)
    assert [run["measures"]["noise"]["missing"] for run in found["runs"]] == [0, 0, 3]
    assert found["measures"]["stability"]["missing"] == 0
    assert found["measures"]["stability"]["parts"]["matrix"][0][1] == pair["measures"]["stability"]["mean"]
    by_name = {each.image.name[-6:]: each for each in store.images.measured(job.id, 0, IMAGES)}
    columns = job.image_sets[0].across[0]
    for name, each in by_name.items():
        (across,) = (np.frombuffer(values.data) for values in each.values if values.run < 0)
        numbers = dict(zip(columns, across, strict=True))
        assert math.isnan(numbers["stability.pair.0.2"]) == (name in ("00.png", "01.png", "02.png"))
        if math.isnan(numbers["stability.pair.0.2"]):
            assert numbers["stability"] == numbers["stability.pair.0.1"]


def test_a_dead_cohort_does_not_stop_a_job_early(runner: Runner, images: Path) -> None:
    rules = [{**RULES[0], "cohort": "dead"}, {**RULES[1], "cohort": "live"}]
    gate = {"rules": rules, "soundness": ONLY_DEGENERATE}
    job = audit(
        runner,
        spec(images, {"dead": DEAD[:1], "live": LIVE[:1]}, gate=gate, stop="when-decided", measures=MEASURES[:2]),
    )
    assert job.stopped_at is None
    assert job.verdict is not None
    assert [each["outcome"] for each in job.verdict["rules"]] == ["error", "pass"]
    assert "100.0 % of the maps" in job.verdict["reason"]
    assert results(runner.store, job)["cohorts"]["dead"]["degenerate"]["ci95"] == wilson_interval(12, 12)


def test_a_rule_against_a_dead_baseline_is_an_error(runner: Runner, images: Path) -> None:
    before = audit(runner, spec(images, {"dead": DEAD}))
    rule = {"measure": "noise", "cohort": "live", "versus": "champion", "op": ">=", "margin": 2.0}
    baseline = {"job": before.id, "cohort": "dead", "name": "champion"}
    job = audit(
        runner, spec(images, {"live": LIVE}, gate={"rules": [rule], "soundness": ONLY_DEGENERATE}, baseline=baseline)
    )
    assert job.verdict is not None
    assert job.verdict["outcome"] == "error"
    assert "the soundness check degenerate of 'champion' fails" in job.verdict["reason"]


def test_a_dead_cohort_has_no_similarity_between_image_sets(runner: Runner, images: Path) -> None:
    request = spec(images, {"dead": DEAD, "live": LIVE}, measures=["entropy"], out_of_set={"uri": images.as_uri()})
    found = results(runner.store, audit(runner, request))["cohorts"]
    dead, live = (found[name]["out_of_set"] for name in ("dead", "live"))
    assert dead["mean_map"] == dict.fromkeys(("ssim", "pearson", "mse", "iou20"))
    assert (dead["entropy"]["wasserstein"], dead["entropy"]["difference"]["mean"]) == (None, None)
    assert dead["top_probability"]["difference"]["mean"] == pytest.approx(0)
    assert live["mean_map"]["ssim"] == pytest.approx(1)


def test_results_in_an_older_format_cannot_be_a_baseline(runner: Runner, images: Path) -> None:
    before = audit(runner, spec(images, {"old": LIVE}))
    document = json.loads(runner.store.jobs.summary(before.id) or "")
    assert document.pop("format") == FORMAT
    with runner.store.database.write() as session:
        session.execute(update(SummaryRow).values(document=json.dumps(document)))
    baseline = {"job": before.id, "cohort": "old", "name": "champion"}
    found = results(runner.store, audit(runner, spec(images, {"new": LIVE}, baseline=baseline)))
    wanted = f"the format of the numbers (baseline: before {FORMAT}, this job: {FORMAT})"
    assert found["baseline"]["differs"] == [wanted]
