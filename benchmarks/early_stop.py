"""What stopping early saves: `python -m benchmarks.early_stop`.

Jobs of 2,000 images are simulated on values that look like measured ones, their gate's threshold so many standard
errors of the whole audit (the spread of an image over the root of 2,000) below the truth. Each is looked at as the
service looks, and stops when it is decided. At a distance of 0 no answer is wrong but `fail`; at all others as well.
Beside it stands what no procedure can beat: the images after which half of all jobs could have been decided at most, of
normal values of known spread, if each of the two wrong answers may come in 2.5 % of jobs (Neyman and Pearson).

With `--audit`, one job of the service itself, on small pictures and models: its passes with `stop` and without.
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
from service.storage.looks import next_interim_look
from tests.support.jobs import make_audit_inputs, write_image
from worker.local import local_audit
from worker.settings import WorkerSettings
from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import ALPHA, Confidence, log_capital

IMAGES = 2_000
DISTANCES = (0, 1, 3, 5, 10, 20, 40)
Draw = Callable[[np.random.Generator, int], Array]
# Scaled to [0, 1], as intervals have it: a similarity of 0.6 that spreads by 0.2 is 0.8 that spreads by 0.1.
VALUES: Mapping[str, tuple[Draw, float, float]] = {
    "entropy, 0.86 +- 0.04": (lambda random, n: random.beta(63.9, 10.4, n), 0.86, 0.04),
    "similarity, 0.6 +- 0.2": (lambda random, n: random.beta(12.0, 3.0, n), 0.8, 0.1),
    "accuracy, 0.9": (lambda random, n: (random.random(n) < 0.9).astype(float), 0.9, 0.3),
}


def main() -> None:
    """Print a line a case; with --audit, the passes of a real job with and without `stop`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=400, help="simulated of each case")
    parser.add_argument("--audit", action="store_true")
    given = parser.parse_args()
    if given.audit:
        audit()
        return
    print("distance  decided  wrong  median images  passes spent of the whole  none can be below")
    for name, (draw, mean, spread) in VALUES.items():
        print(name)
        for distance in DISTANCES:
            threshold = mean - distance * spread / IMAGES**0.5
            message = [play(draw(np.random.default_rng(job), IMAGES), threshold) for job in range(given.jobs)]
            print(_line(distance, message))


def play(values: Array, threshold: float) -> tuple[str, int]:
    """Look at a job's images in their order until its rule `>= threshold` is decided: how, and after how many."""
    claim, ones, seen, wanted = Confidence(ALPHA, len(values)), np.ones(len(values)), 0, np.log(2 / ALPHA)
    while seen < len(values):
        seen = next_interim_look(seen, len(values))
        if log_capital(values[:seen], ones[:seen], threshold, claim) >= wanted:
            return "pass", seen
        if log_capital(1 - values[:seen], ones[:seen], 1 - threshold, claim) >= wanted:
            return "fail", seen
    return "inconclusive", seen


def least_median(distance: float) -> float:
    """Images below which no valid procedure decides half of the jobs at this distance."""
    normal = NormalDist()
    # Decided rightly in half of them less those decided wrongly.
    wanted = normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(0.5 - ALPHA / 2)
    return (wanted / distance) ** 2 * IMAGES if distance else float("inf")


def _line(distance: float, message: list[tuple[str, int]]) -> str:
    outcomes = [outcome for outcome, _ in message]
    decided, wrong = (1 - outcomes.count("inconclusive") / len(message)), outcomes.count("fail") / len(message)
    median = float(np.median([images for _, images in message]))
    spent = float(np.mean([images for _, images in message])) / IMAGES
    bound = min(least_median(distance), IMAGES)
    times = f"({IMAGES / median:.1f} x fewer)"
    return f"{distance:8} {decided:8.0%} {wrong:6.1%} {median:8.0f} {times:14} {spent:12.0%} {bound:22.0f}"


def audit() -> None:
    """A gate far from its threshold, near it, and on it, by the service: images audited and passes made."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        ingredients, random = make_audit_inputs(folder), np.random.default_rng(1)
        for number in range(IMAGES):
            write_image(folder / "many" / f"{number}.png", random)
        body = ingredients.body(images={"uri": (folder / "many").as_uri()})
        whole = _results(JobSpec.model_validate(body))
        mean = whole["cohorts"]["plain"]["measures"]["noise"]["mean"]
        print(f"whole: {whole['images']} images, {whole['passes']} passes, noise {mean:.3f}")
        for distance in (0.0, 0.05, 0.2):
            rule = {"measure": "noise", "op": ">=", "value": mean - distance}
            found = _results(JobSpec.model_validate({**body, "gate": {"rules": [rule]}, "stop": "when-decided"}))
            spent = f"{found['images']} images, {found['passes'] / whole['passes']:.1%} of the passes"
            print(f"threshold {distance} below: {found['verdict']}, {spent}")


def _results(spec: JobSpec) -> dict[str, Any]:
    with local_audit(spec, WorkerSettings()) as running:
        job = running.run()
        assert job.state is JobState.SUCCEEDED, job.error
        found = json.loads(running.store.jobs.summary(job.id) or "null")
        verdict = (job.so_far or {}).get("verdict") or {}
        return {**found, "images": job.images_audited, "passes": job.passes_done, "verdict": verdict.get("outcome")}


if __name__ == "__main__":
    main()
