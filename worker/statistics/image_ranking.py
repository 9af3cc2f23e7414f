"""Chooses a job's sample: typical and unusual images, those with the lowest values, and some of each class.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import CohortValues
from worker.statistics.missing import known_mean

MAX_CLASSES = 10
PER_RANKING = 6  # the first 6 images of a ranking show its reason, even if another ranking chose them
TYPICAL, ODD = "most typical", "least typical"
WRONG, APART = "most often wrong", "cohorts differ most"


@dataclass(frozen=True)
class ChosenImage:
    """The position of an image, and its rank (from 1) for each reason why it was chosen."""

    position: int
    why: Mapping[str, int]


def choose(cohorts: Sequence[CohortValues], count: int, lowest: Mapping[str, str]) -> list[ChosenImage]:
    """Return at most `count` images: the first of every ranking, then the second of each, and so on.

    `lowest` maps each measure that ranks images by their lowest values to the reason that is shown.
    """
    rankings = list(_rankings(cohorts, lowest))
    found: dict[int, dict[str, int]] = {}
    for place in range(max((len(order) for _, order in rankings), default=0)):
        for why, order in rankings:
            if place < len(order):
                position = int(order[place])
                if position not in found and len(found) < count:
                    found[position] = {why: place + 1}
                elif position in found and place < PER_RANKING:
                    found[position][why] = place + 1
        if len(found) >= count:
            break
    return [ChosenImage(position, why) for position, why in found.items()]


def _rankings(cohorts: Sequence[CohortValues], lowest: Mapping[str, str]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each reason and the positions of its images, ordered by rank."""
    scores = [_typicality(cohort) for cohort in cohorts]
    distance = known_mean(np.array([np.square(each).mean(0) for each in scores]), 0)
    distance = np.where(
        np.isnan(distance), np.inf, distance
    )  # an image without salience under any model is the least typical
    yield TYPICAL, np.argsort(distance, kind="stable")
    yield ODD, np.argsort(-distance, kind="stable")
    for measure, why in lowest.items():
        values = [_by_image(cohort, measure) for cohort in cohorts if _has(cohort, measure)]
        if values:
            yield why, _ascending(known_mean(np.array(values), 0))
    correct = np.mean([cohort.column("correct").mean(1) for cohort in cohorts], axis=0)
    wrong = np.argsort(correct, kind="stable")
    yield WRONG, wrong[correct[wrong] < 1]
    if len(cohorts) > 1:
        yield APART, _ascending(-known_mean(np.var(scores, axis=0), 0))
    labels = np.array(["" if each is None else each for each in cohorts[0].labels])
    classes = [each for each in np.unique(labels) if each]
    for name in classes if len(classes) <= MAX_CLASSES else ():
        own = np.flatnonzero(labels == name)
        yield f"typical of {name}", own[np.argsort(distance[own], kind="stable")]


def _ascending(values: Array) -> NDArray[np.intp]:
    """Return the positions of images in ascending order of value, without images that have no value."""
    order = np.argsort(values, kind="stable")
    return order[~np.isnan(values[order])]


def _typicality(cohort: CohortValues) -> Array:
    """Return each image's signed distance from the mean of each headline, in standard deviations, (measures, n)."""
    rows = [_by_image(cohort, name) for name in (*cohort.parts, *cohort.across_parts) if _has(cohort, name)]
    values = np.stack(rows)
    data = values - known_mean(values, 1)[:, None]
    spread = np.sqrt(known_mean(np.square(data), 1))[:, None]
    return np.asarray(data / np.where(spread > 0, spread, 1))


def _has(cohort: CohortValues, measure: str) -> bool:
    return measure in cohort.run_columns or measure in cohort.across_columns


def _by_image(cohort: CohortValues, measure: str) -> Array:
    if measure in cohort.across_columns:
        return cohort.across_column(measure)
    return np.asarray(known_mean(cohort.column(measure), 1))
