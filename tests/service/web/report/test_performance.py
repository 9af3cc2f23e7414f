"""Tests that the report shows detection performance as a table, a DET plot and a reliability diagram."""

import re
from typing import Any

from service.measures.performance import APCER_LEVELS, PERFORMANCE
from service.web.report.performance import performance_figures
from service.web.report.tables import strata_figures
from tests.support.report_data import material


def branch(**changes: Any) -> dict[str, Any]:
    numbers = dict.fromkeys(PERFORMANCE, 0.5) | {f"{name}_ci95": [0.4, 0.6] for name in PERFORMANCE}
    return {
        "n": 40, **numbers, "worst_type": {}, "reasons": {},
        "det": {"bpcer": [0.05, 0.1, 0.5], "apcer": [0.6, 0.3, 0.0]},
        "reliability": [{"confidence": 0.6, "accuracy": 0.5, "n": 20}, {"confidence": 0.9, "accuracy": 1.0, "n": 20}],
        **changes,
    }  # fmt: skip


def test_the_figure_has_a_line_per_plot_and_a_table_of_numbers_for_each_cohort() -> None:
    data = material({"a": {"entropy": 0.5}, "b": {"entropy": 0.5}})
    for cohort in data.cohorts:
        data.results["cohorts"][cohort]["performance"] = branch()
    (figure,) = performance_figures(data)
    assert [title for title, _, _ in figure.charts] == ["Detection error trade-off", "Reliability"]
    for _, _, chart in figure.charts:
        assert chart.count("<polyline") == 4  # two cohorts, in a chart for desktops and one for phones
    points = re.findall(r'<polyline points="([^"]*)"', figure.charts[0][2])[0].split()
    places = [tuple(map(float, each.split(","))) for each in points]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted(y for _, y in places)  # SVG's y axis points downwards, and APCER falls
    assert len(figure.table.rows) == 2 * len(PERFORMANCE)
    assert ["a", "AUROC", "0.500", "0.400 to 0.600"] in [list(row) for row in figure.table.rows]


def test_the_table_shows_why_a_number_is_missing_and_escapes_names_of_attack_types() -> None:
    data = material({"a": {"entropy": 0.5}})
    column = "</script><b>"
    worst = dict.fromkeys(APCER_LEVELS, 0.5) | {f"{name}_ci95": None for name in APCER_LEVELS}
    data.results["cohorts"]["a"]["performance"] = branch(
        eer=None, eer_ci95=None, det=None, reasons={"eer": "needs a model of two classes"}, worst_type={column: worst}
    )
    (figure,) = performance_figures(data)
    rows = [list(row) for row in figure.table.rows]
    assert ["a", "EER", "needs a model of two classes", ""] in rows
    assert ["a", f"APCER at BPCER 5 %, worst {column}", "0.500", ""] in rows
    assert [title for title, _, _ in figure.charts] == ["Reliability"]


def test_results_without_labels_or_of_earlier_releases_have_no_figure() -> None:
    data = material({"a": {"entropy": 0.5}})
    for performance in (None, branch(n=0)):
        data.results["cohorts"]["a"]["performance"] = performance
        assert performance_figures(data) == []


def test_the_report_shows_groups_of_images_among_the_strata() -> None:
    data = material({"a": {"entropy": 0.5}})
    data.job.spec.images.groups.append("camera")
    number = {"mean": 0.5, "ci95": [0.4, 0.6], "n": 9}
    data.results["cohorts"]["a"]["strata"] = {"camera": {"front<": {"entropy": number}}}
    (figure,) = strata_figures(data)
    assert [row[0] for row in figure.table.rows] == ["camera front<"]
    assert "camera front&lt;" in figure.charts[0][2]
