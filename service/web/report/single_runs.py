"""Sentences on differences between single models. A cohort of one run shows nothing about its training recipe."""

from collections.abc import Sequence

from service.web.report.data import Json, ReportData
from service.web.report.interpretation import join_words


def compares_models(each: Json) -> bool:
    """Return whether a difference compares single models, since a cohort in it has only one run."""
    return bool(each["compares"] == "models")


def only_models(data: ReportData) -> bool:
    """Return whether all differences of a report compare models and not recipes."""
    differences = data.results["differences"]
    return bool(differences) and all(compares_models(each) for each in differences)


def models_headline(data: ReportData) -> str:
    """Say in which measures the models differ, and that this does not show a difference between their recipes."""
    found = model_titles(data)
    if not found:
        return "No measure distinguishes the models."
    whom = "These two models" if len(_pairs(data)) == 1 else "Some models"
    return f"{whom} differ in {join_words(found)}. One run of each does not show whether their recipes differ."


def model_titles(data: ReportData) -> list[str]:
    """Return the titles of the measures in which models differ, in lower case."""
    return [title.lower() for title, _ in _differing(data)]


def model_sentences(data: ReportData) -> list[str]:
    """Return a sentence for each measure in which models differ."""
    return [
        f"{title}: {join_words([_sentence(each) for each in differences])}." for title, differences in _differing(data)
    ]


def _sentence(each: Json) -> str:
    higher, lower = (each["a"], each["b"]) if each["mean"] > 0 else (each["b"], each["a"])
    return f"the model of {higher} has a higher value than that of {lower}, by {abs(each['mean']):.3f}"


def _differing(data: ReportData) -> list[tuple[str, Sequence[Json]]]:
    found = [
        (
            interpretation.title,
            [each for each in data.differences(measure) if compares_models(each) and each["differs"]],
        )
        for measure, interpretation in data.measures
    ]
    return [(title, differences) for title, differences in found if differences]


def _pairs(data: ReportData) -> set[tuple[str, str]]:
    return {(each["a"], each["b"]) for each in data.results["differences"]}
