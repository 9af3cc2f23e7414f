"""How often intervals over runs and images contain the true mean: `python -m benchmarks.coverage`.

Simulates cohorts: each value is the sum of an image's, a run's and its own deviation from the truth. The standard
deviation of images is 1 and that of the rest 1/2; the spread of runs is that of run deviations. Skewed deviations are
gamma variables of shape 4 (skewness 1), those of images, runs and the rest alike. The tables have percentages: how
often the 95 % interval of a mean holds the truth, and that of stability, whose pairs of runs differ by the squared
distance of their deviations in ten directions, or in one; and in how many jobs at least one of five measures is said
to differ between two cohorts of one recipe, after Holm's correction at 5 %.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import ALPHA
from worker.statistics.holm import adjusted_p_values
from worker.statistics.mean_squares import Components, across_runs, joint_variance, mean_square, two_way

RUNS, IMAGES, SPREADS = (2, 3, 5, 10), (50, 200, 1000), (0.0, 0.5, 1.0)
REST, MEASURES = 0.5, 5
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
Simulation = Callable[[int, int, float, Draw, int], float]


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return normal deviations."""
    return random.standard_normal(shape)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return deviations with mean 0, standard deviation 1 and skewness 1."""
    return random.standard_gamma(4.0, shape) / 2 - 2


DRAWS: dict[str, Draw] = {"normal": normal, "skewed": skewed}


def table_of_values(random: np.random.Generator, images: Array, runs: int, spread: float, draw: Draw) -> Array:
    """Return values (n, K) whose true mean is 0; `images` (n,) has the deviations of the images."""
    own = draw(random, (len(images), runs))
    return np.asarray(images[:, None] + spread * draw(random, (1, runs)) + REST * own)


def components_of(values: Array) -> Components:
    """Return the components of the mean of values (n, K)."""
    return two_way(values, np.ones(values.shape, bool))


def coverage(runs: int, images: int, spread: float, draw: Draw, jobs: int) -> float:
    """Return the share of simulated cohorts whose interval contains the true mean."""
    random, held = np.random.default_rng([runs, images, int(10 * spread)]), 0
    for _ in range(jobs):
        values = table_of_values(random, draw(random, (images,)), runs, spread, draw)
        held += components_of(values).variance.p_value(float(values.mean())) > ALPHA
    return held / jobs


def stability_coverage(directions: int) -> Simulation:
    """Return a function that gives the share of simulated cohorts whose interval of stability holds the truth.

    Two runs are the less alike the larger the mean square of the distances of their deviations is.
    """

    def simulate(runs: int, images: int, spread: float, draw: Draw, jobs: int) -> float:
        random, held = np.random.default_rng([runs, images, int(10 * spread)]), 0
        pairs = list(combinations(range(runs), 2))
        for _ in range(jobs):
            run, image = spread * draw(random, (runs, directions)), draw(random, (images, 1))
            distances = np.array([np.square(run[i] - run[j]).mean() - 2 * spread**2 for i, j in pairs])
            values = image - distances + REST * draw(random, (images, len(pairs)))
            variance = across_runs(values, pairs, np.ones(images, bool)).variance
            held += variance.p_value(float(values.mean())) > ALPHA
        return held / jobs

    return simulate


def false_differences(runs: int, images: int, spread: float, draw: Draw, jobs: int) -> float:
    """Return the share of jobs in which two cohorts of one recipe are said to differ in one measure at least."""
    random, wrong = np.random.default_rng([runs, images, int(10 * spread)]), 0
    for _ in range(jobs):
        p_values = [_p_value_of_equal_recipes(random, runs, images, spread, draw) for _ in range(MEASURES)]
        wrong += min(adjusted_p_values(p_values)) <= ALPHA
    return wrong / jobs


def _p_value_of_equal_recipes(random: np.random.Generator, runs: int, images: int, spread: float, draw: Draw) -> float:
    own = draw(random, (images,))
    cohorts = [table_of_values(random, own, runs, spread, draw) for _ in range(2)]
    paired = cohorts[0].mean(1) - cohorts[1].mean(1)
    variance = joint_variance(mean_square(paired), [components_of(each) for each in cohorts])
    return variance.p_value(float(paired.mean()))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000, help="simulated jobs per cell")
    jobs = parser.parse_args().jobs
    _print("mean", coverage, RUNS, IMAGES, jobs)
    _print("stability, ten directions", stability_coverage(10), RUNS[1:], IMAGES[1:2], jobs)
    _print("stability, one direction", stability_coverage(1), RUNS[1:], IMAGES[1:2], jobs)
    _print("false differences", false_differences, RUNS, IMAGES[1:2], jobs)


def _print(title: str, simulate: Simulation, runs: Sequence[int], images: Sequence[int], jobs: int) -> None:
    heads = [f"{name}, {spread:g}" for name in DRAWS for spread in SPREADS]
    print(f"{title}\n\n| runs | images | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 2)}")
    for count, size in product(runs, images):
        cells = [simulate(count, size, spread, draw, jobs) for draw in DRAWS.values() for spread in SPREADS]
        print(f"| {count} | {size} | {' | '.join(f'{100 * each:.1f}' for each in cells)} |", flush=True)
    print()


if __name__ == "__main__":
    main()
