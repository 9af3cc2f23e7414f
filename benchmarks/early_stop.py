"""Images and passes that early stopping saves: `python -m benchmarks.early_stop`.

Simulates jobs of 2,000 images with values like those of real measures. The gate's threshold lies some distance below
the true mean, in standard errors of the whole audit: the standard deviation of an image over the square root of 2,000.
Each job has the interim looks of the service and stops when it is decided. The true outcome is `pass`, so that only
`fail` is wrong.

The last column is a lower bound for every procedure (Neyman and Pearson): with fewer images, no procedure can decide
half of the jobs if each wrong outcome may occur in at most 2.5 % of jobs. It assumes normal values of known variance.

With `--audit`, the benchmark runs one real audit on small images and models, with `stop` and without.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import NormalDist
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from service.domain.job import JobState
from service.spec.model import JobSpec
from service.storage.interim import next_interim_look
from tests.support.jobs import make_audit_inputs, write_image
from tests.support.soundness import ALL_OFF
from worker.local import local_audit
from worker.settings import WorkerSettings
from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import ALPHA, Confidence, log_capital

IMAGES = 2_000
DISTANCES = (0, 1, 3, 5, 10, 20, 40)
Draw = Callable[[np.random.Generator, int], Array]
# For each case, how to draw values, their mean and their standard deviation, all scaled to [0, 1]: a similarity in
# [-1, 1] of 0.6 +- 0.2 becomes 0.8 +- 0.1.
VALUES: Mapping[str, tuple[Draw, float, float]] = {
    "entropy, 0.86 +- 0.04": (lambda random, n: random.beta(63.9, 10.4, n), 0.86, 0.04),
    "similarity, 0.6 +- 0.2": (lambda random, n: random.beta(12.0, 3.0, n), 0.8, 0.1),
    "accuracy, 0.9": (lambda random, n: (random.random(n) < 0.9).astype(float), 0.9, 0.3),
}


def main() -> None:
    """Print one line per case; with --audit, the passes of a real job with and without `stop`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=400, help="simulated jobs per case")
    parser.add_argument("--audit", action="store_true")
    arguments = parser.parse_args()
    if arguments.audit:
        audit()
        return
    print("distance  decided  wrong  median images  share of passes            lower bound      ")
    for name, (draw, mean, spread) in VALUES.items():
        print(name)
        for distance in DISTANCES:
            threshold = mean - distance * spread / IMAGES**0.5
            outcomes = [play(draw(np.random.default_rng(job), IMAGES), threshold) for job in range(arguments.jobs)]
            print(_line(distance, outcomes))


def play(values: Array, threshold: float) -> tuple[str, int]:
    """Simulate the interim looks of a job with the rule `>= threshold`.

    Returns the outcome and the number of images used.
    """
    claim, ones, seen, required = Confidence(ALPHA, len(values)), np.ones(len(values)), 0, np.log(2 / ALPHA)
    while seen < len(values):
        seen = next_interim_look(seen, len(values))
        if log_capital(values[:seen], ones[:seen], threshold, claim) >= required:
            return "pass", seen
        if log_capital(1 - values[:seen], ones[:seen], 1 - threshold, claim) >= required:
            return "fail", seen
    return "inconclusive", seen


def least_median(distance: float) -> float:
    """Return how many images any valid procedure needs to decide half of the jobs at this distance."""
    normal = NormalDist()
    # The half of the jobs that are decided includes those that are decided wrongly.
    required = normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(0.5 - ALPHA / 2)
    return (required / distance) ** 2 * IMAGES if distance else float("inf")


def _line(distance: float, jobs: list[tuple[str, int]]) -> str:
    outcomes = [outcome for outcome, _ in jobs]
    decided, wrong = (1 - outcomes.count("inconclusive") / len(jobs)), outcomes.count("fail") / len(jobs)
    median = float(np.median([images for _, images in jobs]))
    spent = float(np.mean([images for _, images in jobs])) / IMAGES
    bound = min(least_median(distance), IMAGES)
    times = f"({IMAGES / median:.1f} x fewer)"
    return f"{distance:8} {decided:8.0%} {wrong:6.1%} {median:8.0f} {times:14} {spent:12.0%} {bound:22.0f}"


def audit() -> None:
    """Audit images without `stop`, then with `stop` and a rule whose threshold is at, near or far from the mean.

    Prints how many images each job audited and how many forward passes it made.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        ingredients, random = make_audit_inputs(folder), np.random.default_rng(1)
        for number in range(IMAGES):
            write_image(folder / "many" / f"{number}.png", random)
        body = ingredients.body(images={"uri": (folder / "many").as_uri()})
        whole = _results(JobSpec.model_validate(body))
        mean = whole["cohorts"]["plain"]["measures"]["noise"]["mean"]
        print(f"without stop: {whole['images']} images, {whole['passes']} passes, noise {mean:.3f}")
        for distance in (0.0, 0.05, 0.2):
            rule = {"measure": "noise", "op": ">=", "value": mean - distance}
            gate = {"rules": [rule], "soundness": ALL_OFF}  # the models are untrained
            found = _results(JobSpec.model_validate({**body, "gate": gate, "stop": "when-decided"}))
            spent = f"{found['images']} images, {found['passes'] / whole['passes']:.1%} of the passes"
            print(f"threshold {distance} below the mean: {found['verdict']}, {spent}")


def _results(spec: JobSpec) -> dict[str, Any]:
    with local_audit(spec, WorkerSettings()) as running:
        job = running.run()
        assert job.state is JobState.SUCCEEDED, job.error
        found = json.loads(running.store.jobs.summary(job.id) or "null")
        verdict = (job.so_far or {}).get("verdict") or {}
        return {**found, "images": job.images_audited, "passes": job.passes_done, "verdict": verdict.get("outcome")}


if __name__ == "__main__":
    main()
