from typing import Any

import pytest

from service.measures import MEASURES
from service.web.formatting import number
from service.web.report.interpretation import (
    INTERPRETATIONS,
    OBJECT,
    compare_blurs,
    correctness_text,
    interval,
    join_words,
    pluralise,
)
from tests.support.report_data import difference


def test_every_measure_has_an_interpretation() -> None:
    assert INTERPRETATIONS.keys() == MEASURES.keys()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1, "low: uses little of the image"), (0.45, "middling: uses some of the image"),
        (0.9, "high: uses much of the image"), (None, "no number"),
    ],
)  # fmt: skip
def test_a_value_is_described_in_words(value: float | None, words: str) -> None:
    assert INTERPRETATIONS["entropy"].describe(value) == words


def test_numbers_intervals_and_lists_are_formatted_for_readers() -> None:
    assert (number(-0.12345), number(0.5, 2, sign=True), number(None)) == (
        "\N{MINUS SIGN}0.123",
        "+0.50",
        "\N{EN DASH}",
    )
    assert (interval([0.1, 0.25]), interval(None)) == ("0.100 to 0.250", "")
    assert interval([-0.0004, 0.25], sign=True) == "0.000 to +0.250"
    assert [join_words(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert (pluralise(1, "run"), pluralise(1200, "run")) == ("1 run", "1,200 runs")


def test_a_mean_is_described_with_its_interval() -> None:
    assert (
        INTERPRETATIONS["noise"].describe_mean(0.1, [0.05, 0.15])
        == "0.100, 95 % interval 0.050 to 0.150; low: attention shifts under noise"
    )
    assert INTERPRETATIONS["noise"].describe_mean(None, None) == "no number"
    assert OBJECT.describe_mean(0.9, None) == "0.900; high: the model does not need the salient region"


@pytest.mark.parametrize(
    ("measure", "ends", "changes", "words"),
    [
        ("noise", (0.1, 0.3), {}, "yes: old is ahead"), ("noise", (-0.3, -0.1), {}, "yes: new is ahead"),
        ("randomisation", (0.1, 0.3), {}, "yes: new is ahead"),
        ("noise", (-0.1, 0.5), {}, "no: not after correction for the number of measures"),
        ("noise", (0.1, 0.5), {"differs": False}, "no: not after correction for the number of measures"),
        ("entropy", (-0.3, -0.1), {}, "yes: new uses more of the image"),
        ("noise", (0.1, 0.3), {"differs": None, "ci95": None}, "unknown: there is no interval"),
        ("noise", (0.1, 0.3), {"differs": None}, "not available"),
        ("noise", (0.1, 0.3), {"compares": "models"}, "yes: these two models differ"),
    ],
)  # fmt: skip
def test_the_description_of_a_difference_names_the_cohort_that_is_ahead(
    measure: str, ends: tuple[float, float], changes: dict[str, Any], words: str
) -> None:
    each = {**difference(("old", "new"), measure, *ends), **changes}
    assert INTERPRETATIONS[measure].describe_difference(each) == words


def test_the_difference_between_blurred_background_and_object_is_described_in_words() -> None:
    assert compare_blurs([0.1, 0.2]) == "the model needs the salient region more than the background"
    assert compare_blurs([-0.2, -0.1]) == "the model needs the background more than the salient region"
    assert compare_blurs([-0.1, 0.1]).startswith("it is unknown whether the model needs")
    assert compare_blurs(None) == "unknown: there is no interval"


def test_the_number_of_correct_runs_is_described_for_one_run_and_for_many() -> None:
    message = [correctness_text(*each) for each in ((1, 1), (0, 1), (0, 3), (1, 3), (2, 3), (3, 3))]
    assert message == [
        "correctly classified", "incorrectly classified", "all 3 runs are wrong", "1 of 3 runs is correct",
        "2 of 3 runs are correct", "all 3 runs are correct",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "corrected", "ends", "words"),
    [
        (0.9, 0.7, [0.6, 0.8], "high: attention stays in place under noise"),
        (0.9, 0.1, [-0.1, 0.3], "high: attention stays in place under noise, but not clearly more than by chance"),
        (0.99, None, None, "high: attention stays in place under noise, but maps hardly depend on the image"),
        (0.2, -0.1, [-0.2, 0.0], "low: attention shifts under noise"),
    ],
)
def test_a_high_similarity_that_unrelated_images_have_too_is_not_called_high_alone(
    mean: float, corrected: float | None, ends: list[float] | None, words: str
) -> None:
    found = {"mean": mean, "ci95": None, "chance": 0.6, "corrected": corrected, "corrected_ci95": ends}
    assert INTERPRETATIONS["noise"].describe_number(found) == words
    assert INTERPRETATIONS["noise"].describe_number({"mean": 0.9, "ci95": None}).endswith("under noise")
