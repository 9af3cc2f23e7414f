"""Percentile bootstrap of means over images, and over runs and images for a cohort.

Pure: arrays in, arrays out. Images are resampled with replacement, and in a cohort the runs too, since
runs are what one generalises over (the pigeonhole bootstrap, Owen 2007). Equal seeds give equal resamples,
so cohorts over the same images are paired.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 10_000
CHUNK_CELLS = 2_000_000


def generator(stream: str, seed: int) -> np.random.Generator:
    """The random numbers of one stream of a job."""
    key = hashlib.sha256(f"bootstrap:{stream}:{seed}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def draw_counts(draws: np.random.Generator, resamples: int, size: int) -> Array:
    """How often each of `size` members is drawn in each resample, (resamples, size)."""
    picks = draws.integers(0, size, (resamples, size)) + np.arange(resamples)[:, None] * size
    return np.bincount(picks.ravel(), minlength=resamples * size).reshape(resamples, size).astype(float)


def _image_counts(seed: int, images: int) -> Iterator[Array]:
    """RESAMPLES rows of counts in chunks that fit in memory."""
    draws = generator("images", seed)
    step = max(1, CHUNK_CELLS // images)
    for start in range(0, RESAMPLES, step):
        yield draw_counts(draws, min(step, RESAMPLES - start), images)


@dataclass(frozen=True)
class Resampled:
    """Means over the resamples: of the whole (R, C), and of each run (R, K, C). NaN where nothing was drawn."""

    whole: Array
    runs: Array


def resample_means(values: Array, used: Array, seed: int, stream: str) -> Resampled:
    """Bootstrap the means of values (n, K, C); `used` (n, K) is 1 for values that count and 0 for others.

    `stream` names the runs' own resampling, so that two cohorts' runs are drawn independently.
    """
    images, runs, columns = values.shape
    kept = np.where(used[:, :, None] > 0, values, 0.0).reshape(images, runs * columns)
    chunks = [(counts @ kept, counts @ used) for counts in _image_counts(seed, images)]
    sums = np.concatenate([each for each, _ in chunks]).reshape(RESAMPLES, runs, columns)
    sizes = np.concatenate([each for _, each in chunks])
    weights = draw_counts(generator(stream, seed), RESAMPLES, runs)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = (sums * weights[:, :, None]).sum(1) / (sizes * weights).sum(1)[:, None]
        return Resampled(whole, sums / sizes[:, :, None])


def resample_pairs(values: Array, pairs: list[tuple[int, int]], runs: int, seed: int, stream: str) -> Array:
    """Bootstrap the mean over pairs of distinct runs of values (n, P) -> (R,).

    A pair weighs as often as its two runs were drawn together; a run drawn twice is not compared with
    itself, and a resample of one run alone is NaN.
    """
    sums = np.concatenate([counts @ values for counts in _image_counts(seed, len(values))]) / len(values)
    weights = draw_counts(generator(stream, seed), RESAMPLES, runs)
    together = np.stack([weights[:, i] * weights[:, j] for i, j in pairs], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums * together).sum(1) / together.sum(1))


def interval(means: Array) -> list[float] | None:
    """The 95 % percentile interval of resampled means (R,); None where fewer than a quarter could be formed."""
    formed = means[~np.isnan(means)]
    if len(formed) < len(means) // 4:
        return None
    low, high = np.quantile(formed, [0.025, 0.975])
    return [float(low), float(high)]
