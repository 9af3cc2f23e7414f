"""Builds predictions of runs from given or random probabilities."""

import numpy as np

from worker.statistics.performance import Predictions


def predictions(classes: np.ndarray, probabilities: np.ndarray, attack: int | None = 1) -> Predictions:
    """Return the predictions of K runs with these `probabilities` (n, K, C) for images of the `classes` (n,)."""
    chosen = probabilities.argmax(2)
    truth = np.eye(probabilities.shape[2])[classes][:, None]
    return Predictions(
        classes, (chosen == classes[:, None]).astype(float), probabilities.max(2),
        ((probabilities - truth) ** 2).sum(2) / 2, probabilities, attack, np.ones(len(classes), bool),
    )  # fmt: skip


def detector(attack: np.ndarray, scores: np.ndarray) -> Predictions:
    """Return the predictions of K detectors with these scores (n, K); `attack` (n,) says which images are attacks."""
    return predictions(attack.astype(int), np.stack([1 - scores, scores], axis=2))


def drawn(images: int, runs: int, seed: int, *, spread: float = 0.0) -> Predictions:
    """Return random predictions of detectors with an accuracy of about 84 % that err on similar images.

    The distance between the scores of the two classes differs by run; `spread` is its relative standard deviation.
    """
    random = np.random.default_rng(seed)
    attack = random.random(images) < 0.5
    shift = 1 + spread * random.standard_normal((1, runs))
    evidence = random.standard_normal((images, 1)) + random.standard_normal((images, runs))
    scores = 1 / (1 + np.exp(-(2 * attack[:, None] - 1) * 2 * shift - evidence * np.sqrt(2)))
    return detector(attack, scores)
