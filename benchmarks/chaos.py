"""Kills random processes for some minutes while jobs run, and checks that no work is lost or done twice.

    python -m benchmarks.chaos --minutes 10 --seed 1

Two API processes and two workers run on this machine with Postgres (with fsync) and Redis, as in `tests/faults`, which
runs twenty jobs. The exit status is 0 if every accepted job has succeeded once, with the results of an undisturbed run.
The last line counts jobs, kills, losses and duplicates.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.job_ledger import compare_jobs, post_all, run_without_faults
from tests.support.jobs import make_audit_inputs
from tests.support.process_killer import killing
from tests.support.production import production

ROWS = 12 * 3  # stored rows of a job: for each of twelve images, one row per run and one row across the two runs


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # the models are too small to gain from more threads
    with TemporaryDirectory() as name:
        return run(Path(name), arguments.minutes, arguments.seed)


def run(folder: Path, minutes: float, seed: int) -> int:
    """Run jobs and kill processes for `minutes`. Returns the exit status."""
    ingredients = make_audit_inputs(folder)
    bodies = [ingredients.body(seed=number, shard_size=4, reuse=False) for number in range(4)]
    expected = [run_without_faults(body, folder) for body in bodies]
    with production(folder) as running:
        end = time.monotonic() + 60 * minutes
        with killing(running, seed) as killer:
            ended = post_all(running, bodies, lambda _: time.monotonic() < end)
        running.database.await_start()
        books = compare_jobs(running, ended, expected, ROWS)
    failures = (folder / "log.txt").read_text().count(" 500 Internal Server Error")
    kills = ", ".join(f"{count} x {kind}" for kind, count in sorted(killer.kills.items()))
    print(f"seed {seed}, {minutes:g} minutes; killed: {kills}; responses of 500: {failures}")
    lost = len(books.lost) + len(books.different)
    print(f"{len(ended)} jobs, {killer.kills.total()} kills, {lost} lost or different, {books.doubled} doubled")
    return 0 if not lost and not books.doubled and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
