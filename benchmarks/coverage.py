"""How often intervals over runs and images hold the truth: `python -m benchmarks.coverage`.

Simulates cohorts: each value is the sum of an image's, a run's and its own deviation from the truth. The standard
deviation of images is 1 and that of the rest 1/2; `spread of runs` is that of runs. Skewed deviations are gamma
variables of shape 4 (skewness 1), those of images, runs and the rest alike. The second table has the share of jobs
that say of at least one of five measures that two cohorts of one recipe differ, after Holm's correction at 5 %.
"""

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import ALPHA
from worker.statistics.mean_squares import Components, two_way

RUNS, IMAGES, SPREADS = (2, 3, 5, 10), (50, 200, 1000), (0.0, 0.5, 1.0)
REST = 0.5
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return normal deviations."""
    return random.standard_normal(shape)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return deviations with mean 0, standard deviation 1 and skewness 1."""
    return random.standard_gamma(4.0, shape) / 2 - 2


DRAWS: dict[str, Draw] = {"normal": normal, "skewed": skewed}


def table_of_values(random: np.random.Generator, images: Array, runs: int, spread: float, draw: Draw) -> Array:
    """Return values (n, K) whose truth is 0; `images` (n,) has the images' deviations."""
    own = draw(random, (len(images), runs))
    return np.asarray(images[:, None] + spread * draw(random, (1, runs)) + REST * own)


def components_of(values: Array) -> Components:
    """Return the components of the mean of values (n, K)."""
    return two_way(values, np.ones(values.shape, bool))


def coverage(runs: int, images: int, spread: float, draw: Draw, jobs: int) -> float:
    """Return the share of simulated cohorts whose interval of the mean holds the truth."""
    random, held = np.random.default_rng([runs, images, int(10 * spread)]), 0
    for _ in range(jobs):
        values = table_of_values(random, draw(random, (images,)), runs, spread, draw)
        held += components_of(values).variance.p_value(float(values.mean())) > ALPHA
    return held / jobs


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000, help="simulated jobs per cell")
    jobs = parser.parse_args().jobs
    for runs, images in product(RUNS, IMAGES):
        cells = [coverage(runs, images, spread, draw, jobs) for draw in DRAWS.values() for spread in SPREADS]
        print(f"| {runs} | {images} | " + " | ".join(f"{100 * each:.1f}" for each in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
