from typing import Any

from service.pages.report.strata import strata
from tests.service.pages.report.test_findings import material


def test_of_many_classes_the_lowest_and_highest_are_drawn_and_correctness_always() -> None:
    about = material({"only": {"noise": 0.5}})

    def told(mean: float) -> dict[str, Any]:
        return {"noise": {"mean": mean, "ci95": None, "n": 4}}

    classes = {f"{place:03}": told(0.5 + (place % 7) / 100) for place in range(300)}
    classes |= {"042": told(0.1), "123": told(0.9)}
    correct = {"true": told(0.6), "false": told(0.4)}
    about.results["cohorts"]["only"]["strata"] = {"class": classes, "correct": correct}
    (found,) = strata(about)
    names = [name for name, _, _ in found.charts]
    assert len(names) == 12
    assert {"class 042", "class 123", "rightly classified", "wrongly classified"} <= set(names)
    assert len(found.table.rows) == 100
    assert found.notes[0].startswith("Of 302 strata, the classes with the lowest and the highest numbers are drawn")
    about.results["cohorts"]["only"]["strata"] = {"class": {"a": told(0.5), "b": told(0.6)}, "correct": correct}
    (few,) = strata(about)
    assert ([name for name, _, _ in few.charts][:2], list(few.notes)) == (["class a", "class b"], [])
