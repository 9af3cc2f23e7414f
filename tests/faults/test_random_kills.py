"""Kills random processes: each accepted job still ends exactly once, with the results of an undisturbed run."""

import logging
import time
from pathlib import Path

from tests.support.job_ledger import compare_jobs, post_all, run_without_faults
from tests.support.jobs import AuditInputs
from tests.support.process_killer import killing
from tests.support.production import production

SEED, KILLS, JOBS, ROWS = 5, 18, 20, 12 * 3

log = logging.getLogger(__name__)


def test_twenty_jobs_succeed_while_processes_are_killed_at_random(ingredients: AuditInputs, tmp_path: Path) -> None:
    bodies = [ingredients.body(seed=seed, shard_size=4, reuse=False) for seed in range(2)]
    wanted = [run_without_faults(body, tmp_path) for body in bodies]
    with production(tmp_path) as running:
        start = time.monotonic()
        with killing(running, SEED, KILLS) as killer:
            ended = post_all(running, bodies, lambda number: number < JOBS)
        span = time.monotonic() - start
        running.database.await_start()
        ledger = compare_jobs(running, ended, wanted, ROWS)
    message = f"{len(ended)} jobs in {span:.1f} s; killed with seed {SEED}: {dict(killer.kills)}"
    log.info(message)
    assert (ledger.lost, ledger.different, ledger.doubled) == ([], [], 0), message
    assert " 500 Internal Server Error" not in (tmp_path / "log.txt").read_text(), message
    assert len(ended) == JOBS, message
    assert len(killer.kills) == 6, message
