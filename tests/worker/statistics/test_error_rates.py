"""Tests that error rates agree with scikit-learn and with their definitions, even if scores are equal."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from worker.statistics.error_rates import ErrorRates, Thresholds

Rows = list[tuple[bool, int]]
COUNT = settings(max_examples=60, deadline=None)
# Few distinct scores, so that many images have equal scores.
IMAGES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=25).filter(
    lambda rows: len({attack for attack, _ in rows}) == 2
)


def rates(attack: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> ErrorRates:
    return Thresholds.of(attack, scores).rates(np.ones((1, len(scores))) if weights is None else weights)


def arrays(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([attack for attack, _ in rows]), np.array([score / 7 for _, score in rows])


def slow_points(attack: np.ndarray, scores: np.ndarray) -> list[tuple[float, float]]:
    """Return BPCER and APCER at each threshold, from infinity down."""
    thresholds = [np.inf, *sorted(set(scores), reverse=True)]
    return [(float((scores[~attack] >= t).mean()), float((scores[attack] < t).mean())) for t in thresholds]


def slow_eer(points: list[tuple[float, float]]) -> float:
    """Return the rate at which the polygon through the points (BPCER, APCER) meets the diagonal."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if y1 - x1 <= 0:
            return x0 + (y0 - x0) / ((y0 - x0) - (y1 - x1)) * (x1 - x0)
    raise AssertionError("the polygon ends below the diagonal")


@COUNT
@given(IMAGES)
def test_auroc_agrees_with_scikit_learn(rows: Rows) -> None:
    attack, scores = arrays(rows)
    assert rates(attack, scores).auroc[0] == pytest.approx(roc_auc_score(attack, scores), abs=1e-12)


@COUNT
@given(IMAGES)
def test_the_error_rates_agree_with_the_roc_curve_of_scikit_learn(rows: Rows) -> None:
    attack, scores = arrays(rows)
    found, (bpcer, hits, _) = rates(attack, scores), roc_curve(attack, scores, drop_intermediate=False)
    assert np.allclose(found.bpcer[0], bpcer) and np.allclose(1 - found.apcer[0], hits)


@COUNT
@given(IMAGES, st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5]))
def test_apcer_at_a_bpcer_is_the_lowest_at_any_threshold_within_that_bpcer(rows: Rows, limit: float) -> None:
    attack, scores = arrays(rows)
    allowed = [apcer for bpcer, apcer in slow_points(attack, scores) if bpcer <= limit]
    assert rates(attack, scores).apcer_at(limit)[0] == pytest.approx(min(allowed))


@COUNT
@given(IMAGES)
def test_the_equal_error_rate_is_where_the_polygon_of_error_rates_meets_the_diagonal(rows: Rows) -> None:
    attack, scores = arrays(rows)
    assert rates(attack, scores).eer[0] == pytest.approx(slow_eer(slow_points(attack, scores)))


@COUNT
@given(IMAGES, st.integers(0, 2**32 - 1))
def test_a_weighting_gives_the_error_rates_of_images_repeated_by_their_weights(rows: Rows, seed: int) -> None:
    attack, scores = arrays(rows)
    weights = np.random.default_rng(seed).integers(0, 4, len(rows))
    weights[[np.argmax(attack), np.argmin(attack)]] += 1  # this makes sure that both classes are drawn
    weighted = rates(attack, scores, weights[None].astype(float))
    repeated = rates(np.repeat(attack, weights), np.repeat(scores, weights))
    for name in ("auroc", "eer"):
        assert getattr(weighted, name)[0] == pytest.approx(getattr(repeated, name)[0])
    assert weighted.apcer_at(0.1)[0] == pytest.approx(repeated.apcer_at(0.1)[0])


@COUNT
@given(IMAGES)
def test_swapping_the_classes_reverses_the_auroc_unless_the_scores_are_negated_too(rows: Rows) -> None:
    attack, scores = arrays(rows)
    here, there = rates(attack, scores), rates(~attack, scores)
    mirrored = rates(~attack, -scores)
    assert here.auroc[0] + there.auroc[0] == pytest.approx(1)
    assert mirrored.auroc[0] == pytest.approx(here.auroc[0])
    assert mirrored.eer[0] == pytest.approx(here.eer[0])


@COUNT
@given(IMAGES, st.sampled_from([0.05, 0.25, 0.5]))
def test_the_apcer_of_each_attack_type_is_at_the_threshold_for_all_bona_fide_images(rows: Rows, limit: float) -> None:
    attack, scores = arrays(rows)
    own = np.flatnonzero(attack)
    types = np.zeros((len(rows), 2))
    types[own, np.arange(len(own)) % 2] = 1
    thresholds = [np.inf, *sorted(set(scores), reverse=True)]
    chosen = min(t for t in thresholds if (scores[~attack] >= t).mean() <= limit)
    found = rates(attack, scores).apcer_by_type(limit, types)[0]
    for kind in range(2):
        members = types[:, kind] == 1
        expected = (scores[members] < chosen).mean() if members.any() else np.nan
        assert found[kind] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("count", [1, 7, 29, 57])
def test_a_bpcer_that_equals_its_limit_except_for_rounding_is_within_the_limit(count: int) -> None:
    bona_fide = np.linspace(0.99, 0, 100)
    between = (bona_fide[count - 1] + bona_fide[count]) / 2
    attack, scores = np.array([True] + [False] * 100), np.array([between, *bona_fide])
    assert rates(attack, scores).apcer_at(count / 100)[0] == 0
    assert rates(attack, scores).apcer_at((count - 1) / 100)[0] == 1


def test_an_error_rate_is_nan_without_images_of_its_class() -> None:
    scores = np.array([0.2, 0.7, 0.9])
    for attack in (np.zeros(3, bool), np.ones(3, bool)):
        found = rates(attack, scores)
        assert np.isnan([found.auroc[0], found.eer[0], found.apcer_at(0.1)[0]]).all()
        assert np.isnan(found.apcer_by_type(0.1, attack[:, None].astype(float))).all()
