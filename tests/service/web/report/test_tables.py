from typing import Any

from service.web.report.tables import strata_figures
from tests.support.report_data import material


def test_the_charts_show_the_lowest_and_highest_of_many_classes_and_correct_and_incorrect_images() -> None:
    data = material({"only": {"noise": 0.5}})

    def stratum(mean: float) -> dict[str, Any]:
        return {"noise": {"mean": mean, "ci95": None, "n": 4}}

    classes = {f"{place:03}": stratum(0.5 + (place % 7) / 100) for place in range(300)}
    classes |= {"042": stratum(0.1), "123": stratum(0.9)}
    correct = {"true": stratum(0.6), "false": stratum(0.4)}
    data.results["cohorts"]["only"]["strata"] = {"class": classes, "correct": correct}
    (found,) = strata_figures(data)
    names = [name for name, _, _ in found.charts]
    assert len(names) == 12
    assert {"class 042", "class 123", "correctly classified", "incorrectly classified"} <= set(names)
    assert len(found.table.rows) == 100
    assert found.notes[0].startswith(
        "Of 302 strata, the charts show the classes and groups with the lowest and highest values"
    )
    data.results["cohorts"]["only"]["strata"] = {"class": {"a": stratum(0.5), "b": stratum(0.6)}, "correct": correct}
    (few,) = strata_figures(data)
    assert ([name for name, _, _ in few.charts][:2], list(few.notes)) == (["class a", "class b"], [])


def test_strata_of_a_similarity_show_chance_and_those_of_entropy_do_not() -> None:
    data = material({"only": {"noise": 0.5, "entropy": 0.5}})
    plain = {"mean": 0.5, "ci95": None, "n": 4}
    noise = {**plain, "chance": 0.99, "corrected": None, "corrected_ci95": None}
    data.results["cohorts"]["only"]["strata"] = {"class": {"a": {"noise": noise, "entropy": plain}}}
    tables = {each.key: each.table for each in strata_figures(data)}
    assert "by chance" not in tables["strata-entropy"].heads
    (row,) = tables["strata-noise"].rows
    shown = dict(zip(tables["strata-noise"].heads, row, strict=True))
    assert (shown["by chance"], shown["corrected for chance"]) == ("0.990", "\N{EN DASH}")
    assert shown["in words"].endswith("but maps hardly depend on the image")
