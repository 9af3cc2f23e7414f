from service.web.report.findings import Findings, find_findings
from tests.support.report_data import difference, material

BOTH = {
    "old": {"entropy": 0.5, "noise": 0.2, "stability": 0.3},
    "new": {"entropy": 0.4, "noise": 0.5, "stability": 0.8},
}


def test_the_headline_names_the_better_cohort_and_is_followed_by_reasons() -> None:
    found = find_findings(material(BOTH, ("entropy", 0.05, 0.2), ("noise", -0.4, -0.2), ("stability", -0.6, -0.4)))
    assert found.headline == "new looks better: ahead in noise and stability."
    assert "Noise: new is ahead of old by 0.300 (95 % interval 0.200 to 0.400)." in found.reasons
    assert found.reasons[-1].endswith("old uses more of the image than new.")


def test_a_difference_whose_interval_contains_zero_does_not_make_a_cohort_better() -> None:
    found = find_findings(material(BOTH, ("noise", -0.4, 0.01), ("stability", -0.2, 0.4)))
    assert found.headline.startswith("No measure distinguishes the cohorts")
    assert found.reasons == ["Noise and stability do not distinguish the cohorts."]
    neutral = find_findings(material(BOTH, ("entropy", 0.05, 0.2), ("noise", -0.4, 0.01)))
    assert neutral.headline == "No cohort looks better: they differ only in entropy."
    assert neutral.reasons[-1].endswith("old uses more of the image than new.")


def test_the_headline_names_both_cohorts_if_each_is_ahead_in_some_measure() -> None:
    split = find_findings(material(BOTH, ("noise", -0.4, -0.2), ("stability", 0.1, 0.3)))
    assert split.headline.startswith("The cohorts are ahead of each other in different measures")
    three = {name: {**own, "geometry": 0.5} for name, own in BOTH.items()}
    most = find_findings(material(three, ("noise", -0.4, -0.2), ("geometry", -0.4, -0.2), ("stability", 0.1, 0.3)))
    assert most.headline == "new looks better: ahead in noise and geometry, though behind in stability."


def test_the_cohort_with_the_lower_mean_is_ahead_in_a_measure_whose_low_values_are_better() -> None:
    means = {"old": {"randomisation": 0.9}, "new": {"randomisation": 0.2}}
    assert (
        find_findings(material(means, ("randomisation", 0.6, 0.8))).headline
        == "new looks better: ahead in randomisation."
    )


def test_the_headline_describes_a_single_cohort_in_words() -> None:
    found = find_findings(material({"only": BOTH["new"]}))
    assert found.headline == "only uses little of the image; it is strong in stability and middling in noise."
    assert found.reasons == []


def single_models(*differences: tuple[str, float, float]) -> Findings:
    data = material(BOTH)
    data.results["differences"].extend(difference(("old", "new"), *each, "models") for each in differences)
    return find_findings(data)


def test_the_headline_about_cohorts_of_one_run_compares_models_and_calls_none_better() -> None:
    found = single_models(("entropy", 0.05, 0.2), ("noise", -0.4, -0.2), ("stability", -0.2, 0.4))
    assert found.headline == (
        "These two models differ in entropy and noise. One run of each does not show whether their recipes differ."
    )
    assert "Stability does not distinguish the models." in found.reasons
    assert "Noise: the model of new has a higher value than that of old, by 0.300." in found.reasons
    message = " ".join([found.headline, *found.reasons])
    assert [word for word in ("better", "best", "ahead") if word in message] == []
    assert single_models(("noise", -0.4, 0.2)).headline == "No measure distinguishes the models."


def test_a_difference_that_is_not_significant_after_correction_does_not_make_a_cohort_better() -> None:
    data = material(BOTH, ("noise", -0.4, -0.2))
    data.results["differences"][0].update({"p_holm": 0.06, "differs": False})
    assert find_findings(data).headline.startswith("No measure distinguishes the cohorts")


def test_cohorts_are_not_called_alike_in_measures_whose_results_do_not_say_whether_they_differ() -> None:
    data = material(BOTH, ("noise", -0.4, 0.01), ("stability", -0.6, -0.4))
    noise, stability = data.results["differences"]
    stability.update({"differs": None, "p_holm": None, "ci95": None})
    assert find_findings(data).reasons == [
        "Noise does not distinguish the cohorts.",
        "These results do not say whether the cohorts differ in stability.",
    ]
    noise.update({"differs": None, "p_holm": None})
    assert find_findings(data).headline == "These results do not say whether the cohorts differ."
