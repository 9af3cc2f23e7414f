"""Percentile bootstrap over images, for the mean of one run, and over runs and images, for the spread of a cohort.

Pure: arrays in, arrays out. The bootstrap resamples images with replacement, and the runs of a cohort too (the
pigeonhole bootstrap, Owen 2007). Of few runs it is too narrow. Equal seeds give equal resamples.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Check = Callable[[], None]

RESAMPLES = 10_000
CHUNK_CELLS = 2_000_000
BLOCK = 20_000  # number of images whose columns are in memory at a time


@dataclass(frozen=True)
class Draws:
    """The random numbers of the resamples: a job's seed, and the names of the streams for runs and for images.

    Cohorts of a job share the image stream; image sets of a job share the run stream.
    """

    seed: int
    runs: str
    images: str = "images"


def no_check() -> None:
    """Do nothing."""


def generator(stream: str, seed: int) -> np.random.Generator:
    """Return the random number generator of one named stream of a job."""
    key = hashlib.sha256(f"bootstrap:{stream}:{seed}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def draw_counts(draws: np.random.Generator, resamples: int, size: int) -> Array:
    """Return how often each resample draws each of `size` members, (resamples, size)."""
    picks = draws.integers(0, size, (resamples, size)) + np.arange(resamples)[:, None] * size
    return np.bincount(picks.ravel(), minlength=resamples * size).reshape(resamples, size).astype(float)


def _image_counts(by: Draws, images: int) -> Iterator[tuple[slice, slice, Array]]:
    """Yield how often images are drawn: a slice of the resamples, a slice of the images, and their counts.

    Each part fits in memory. Beyond BLOCK images, the number of draws per block is drawn first, then the images of
    each block. The counts are multinomial in both cases.
    """
    blocks = -(-images // BLOCK)
    edges = [images * block // blocks for block in range(blocks + 1)]
    shares = np.full((RESAMPLES, 1), images)
    if blocks > 1:
        shares = generator(f"{by.images}.blocks", by.seed).multinomial(images, np.diff(edges) / images, RESAMPLES)
    for block in range(blocks):
        draws = generator(f"{by.images}.{block}" if block else by.images, by.seed)
        first, size = edges[block], edges[block + 1] - edges[block]
        step = max(1, CHUNK_CELLS // size)
        for start in range(0, RESAMPLES, step):
            rows = slice(start, min(start + step, RESAMPLES))
            yield rows, slice(first, first + size), _counts_of(draws, shares[rows, block], size)


def _counts_of(draws: np.random.Generator, shares: NDArray[np.int64], size: int) -> Array:
    """Return how often each of `size` images is drawn, (R, size).

    `shares` (R,) is the number of draws of each resample.
    """
    picks = draws.integers(0, size, int(shares.sum())) + np.repeat(np.arange(len(shares)) * size, shares)
    return np.bincount(picks, minlength=len(shares) * size).reshape(len(shares), size).astype(float)


def _resampled_sums(by: Draws, images: int, block_of: Callable[[slice], Array], check: Check) -> Array:
    """Return sums over each resample's images, (R, C); `block_of` returns the columns of a slice of images, (b, C)."""
    block, columns, sums = slice(0, 0), np.empty((0, 0)), np.empty((0, 0))
    for rows, wanted, counts in _image_counts(by, images):
        check()
        if wanted != block:
            block, columns = wanted, block_of(wanted)
            sums = sums if len(sums) else np.zeros((RESAMPLES, columns.shape[1]))
        sums[rows] += counts @ columns
    return sums


@dataclass(frozen=True)
class Resampled:
    """Means of each resample: over all runs (R, C), and of each run (R, K, C). NaN where no value was drawn."""

    whole: Array
    runs: Array


def resample_means(values: Array, used: Array, by: Draws, check: Check = no_check) -> Resampled:
    """Bootstrap the means of values (n, K, C); `used` (n, K) is 1 for values that count and 0 for others.

    Missing values (NaN) do not count either. `check` is called between blocks, and may raise.
    """
    images, runs, columns = values.shape
    incomplete = [column for column in range(columns) if np.isnan(values[:, :, column]).any()]

    def block_of(some: slice) -> Array:
        known = (used[some, :, None] > 0) & ~np.isnan(values[some])
        filled = np.where(known, values[some], 0.0)
        # Explicit shapes, because -1 fails for zero columns: a job of stability alone has no per-run columns.
        own = [
            filled.reshape(len(filled), runs * columns),
            known[:, :, incomplete].reshape(len(filled), runs * len(incomplete)),
        ]
        return np.concatenate([*own, used[some]], axis=1)

    ends = np.cumsum([runs * columns, runs * len(incomplete)])
    sums, own, sizes = np.split(_resampled_sums(by, images, block_of, check), ends, axis=1)
    counted = _Counted(
        sums.reshape(RESAMPLES, runs, columns), sizes, own.reshape(RESAMPLES, runs, len(incomplete)), incomplete
    )
    return counted.means(draw_counts(generator(by.runs, by.seed), RESAMPLES, runs))


@dataclass(frozen=True)
class _Counted:
    """Sums of values (R, K, C), and how many values each has: `sizes` (R, K), or `own` (R, K, L) if some are missing.

    `incomplete` has the L columns with missing values.
    """

    sums: Array
    sizes: Array
    own: Array
    incomplete: Sequence[int]

    def means(self, weights: Array) -> Resampled:
        """Return the means; `weights` (R, K) has how often each run is drawn."""
        sums, own = ((each * weights[:, :, None]).sum(1) for each in (self.sums, self.own))
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = sums / (self.sizes * weights).sum(1)[:, None]
            whole[:, self.incomplete] = sums[:, self.incomplete] / own
            runs = self.sums / self.sizes[:, :, None]
            runs[:, :, self.incomplete] = self.sums[:, :, self.incomplete] / self.own
        return Resampled(whole, runs)


def interval(means: Array) -> list[float] | None:
    """Return the 95 % percentile interval of resampled means (R,); None if over three quarters of them are NaN."""
    known = means[~np.isnan(means)]
    if len(known) < len(means) // 4:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return [float(low), float(high)]
