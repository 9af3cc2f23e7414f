from dataclasses import replace
from itertools import combinations

import pytest

from service.gate.soundness import Evidence
from service.web.report.data import ReportData
from service.web.report.findings import find_findings
from service.web.report.tables import difference_tables
from tests.support.report_data import difference, material
from tests.support.soundness import soundness

EVERY = ("noise", "geometry", "stability")


def compared(strengths: dict[str, dict[str, float]]) -> ReportData:
    """Return report data of cohorts with these means. Two cohorts differ in a measure if their means are not equal."""
    data = material(strengths)
    for a, b in combinations(strengths, 2):
        for measure, mean in strengths[a].items():
            by = mean - strengths[b][measure]
            data.results["differences"].append(difference((a, b), measure, by - 0.01, by + 0.01))
    return data


def ranked(**strengths: tuple[float, float, float]) -> ReportData:
    """Return report data of cohorts; each has a mean of noise, one of geometry and one of stability."""
    return compared({name: dict(zip(EVERY, own, strict=True)) for name, own in strengths.items()})


@pytest.mark.parametrize(
    ("about", "headline"),
    [
        (
            ranked(a=(0.5, 0.5, 0.5), b=(0.3, 0.5, 0.5), c=(0.1, 0.1, 0.5)),
            "a looks best: ahead of all others in noise, of some in geometry.",
        ),
        (
            ranked(a=(0.5, 0.5, 0.5), b=(0.3, 0.3, 0.8), c=(0.1, 0.1, 0.5)),
            "a looks best: ahead of all others in noise and geometry, though behind b in stability.",
        ),
        (
            ranked(a=(0.5, 0.5, 0.5), b=(0.3, 0.5, 0.5), c=(0.5, 0.3, 0.5)),
            "a looks best: ahead of each other cohort in at least one of noise and geometry.",
        ),
        (
            ranked(a=(0.5, 0.1, 0.5), b=(0.1, 0.5, 0.5), c=(0.1, 0.1, 0.5)),
            "No cohort is ahead of all others; on balance a and b are behind no other cohort.",
        ),
        (ranked(a=(0.3, 0.2, 0.1), b=(0.2, 0.1, 0.3), c=(0.1, 0.3, 0.2)), "No cohort is ahead of all others."),
        (
            ranked(a=(0.5, 0.1, 0.5), b=(0.1, 0.5, 0.5)),
            "The cohorts are ahead of each other in different measures: a in noise, b in geometry.",
        ),
    ],
)
def test_the_headline_about_several_cohorts_names_the_best_if_it_is_ahead_of_all_others(
    about: ReportData, headline: str
) -> None:
    assert find_findings(about).headline == headline


def test_many_cohorts_are_described_with_one_sentence_and_a_collapsed_table_per_measure() -> None:
    data = ranked(**{name: (place / 10, 0.5, place / 10) for place, name in enumerate("abcdefg")})
    noise, stability, geometry = find_findings(data).reasons
    assert noise.startswith("Noise: g is ahead of all others; f of a, b, c, d and e; e of a, b, c and d; 6 more in")
    assert (stability[:9], geometry) == ("Stability", "Geometry does not distinguish any two cohorts.")
    assert [table.title.partition(",")[0] for table in difference_tables(data)] == [
        "Noise: 21 of 21 pairs of cohorts differ", "Geometry: 0 of 21 pairs of cohorts differ",
        "Stability: 21 of 21 pairs of cohorts differ",
    ]  # fmt: skip
    assert [table.is_open for table in difference_tables(ranked(a=(0.5, 0.1, 0.5), b=(0.1, 0.5, 0.5)))] == [True]


@pytest.mark.parametrize(
    ("gap", "headline", "word"),
    [
        (
            [-0.3, -0.1],
            "No cohort looks better: they differ only in degradation.",
            "the model needs the background more than",
        ),
        (
            [-0.1, 0.1],
            "No cohort looks better: they differ only in degradation.",
            "it is unknown whether the model needs",
        ),
        ([0.1, 0.3], "a looks better: ahead in degradation.", "a is ahead"),
    ],
)
def test_a_cohort_whose_maps_do_not_change_when_the_object_is_blurred_is_not_ahead_in_degradation(
    gap: list[float], headline: str, word: str
) -> None:
    data = compared({"a": {"degradation": 0.9}, "b": {"degradation": 0.5}})
    own = data.measures_of("a")["degradation"]
    own["parts"] = {"gap": {"mean": sum(gap) / 2, "ci95": gap}}
    found = find_findings(data)
    assert found.headline == headline
    assert word in found.reasons[0]
    assert word in difference_tables(data)[0].rows[0].verdict
    alone = material({"only": {"degradation": 0.9}})
    alone.measures_of("only")["degradation"]["parts"] = own["parts"]
    assert ("strong in degradation" in find_findings(alone).headline) is (gap[0] > 0)
    assert (", but " in find_findings(alone).cohorts["only"][0][1]) is (gap[0] <= 0)


def test_a_cohort_is_compared_with_the_baseline_of_an_earlier_job() -> None:
    data = compared({"new": {"noise": 0.9}, "earlier": {"noise": 0.5}})
    data.job.spec.cohorts.pop()
    found = find_findings(data)
    assert found.headline == "new is strong in noise."
    assert found.reasons == ["Noise: new is ahead of earlier by 0.400 (95 % interval 0.390 to 0.410)."]


def test_a_cohort_with_a_failed_soundness_check_is_never_ahead() -> None:
    data = ranked(dead=(0.9, 0.9, 0.9), live=(0.5, 0.5, 0.5))
    evidence = {"dead": {"degenerate": Evidence(0.5, (0.3, 0.7))}, "live": {"degenerate": Evidence(0.0, (0.0, 0.02))}}
    results = {**data.results, "soundness": soundness(evidence)}
    found = find_findings(replace(data, results=results))
    assert found.headline == "No cohort looks better: they differ only in noise, geometry and stability."
    assert not [each for each in found.reasons if "dead is ahead" in each]
    message = "which is not better: the soundness check degenerate of 'dead' fails."
    assert sum(each.endswith(message) for each in found.reasons) == 3
