"""What ten thousand bad requests do to the API: nothing.

    python -m benchmarks.bad_requests

Starts the embedded service, sends requests that are wrong in every way we know, and then a good job. Prints the API's
memory after a tenth of them and after all, and their ratio. Exit status 0 if that is below 1.05, no answer was a 5xx
or told of paths or code, no log line holds a traceback or a secret, and the job is done.
"""

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from tests.fuzz.bad_requests import SECRET, bad_requests, send
from tests.support.jobs import make_audit_inputs
from tests.support.processes import Installation


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    request = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name:
        folder = Path(name)
        installation = Installation.make(folder, log_format="json")
        with installation.serve() as api:
            wrong, memory = storm(installation, api.pid, request.count)
            job = installation.run("submit", installation.write_spec(make_audit_inputs(folder).body())).strip()
            installation.run("wait", job)
        log = (folder / "log.txt").read_text()
    for each in wrong[:5]:
        print(each)
    ratio, sizes = memory[-1] / memory[0], [size // 2**20 for size in memory]
    found = f"{log.count('Traceback')} tracebacks, {log.count(SECRET)} secrets in the log"
    print(f"{request.count} bad requests, {len(wrong)} wrongly answered; {found}; MiB {sizes}; ratio {ratio:.3f}")
    return 0 if not wrong and "Traceback" not in log and SECRET not in log and ratio < 1.05 else 1


def storm(installation: Installation, pid: int, count: int) -> tuple[list[str], list[int]]:
    """Send them. Returns what was answered wrongly, and the API's memory in bytes after each tenth."""
    process, wrong, memory, began = psutil.Process(pid), [], [], time.monotonic()
    met: Counter[int] = Counter()
    with httpx.Client(base_url=installation.url, timeout=60) as client:
        for number, bad in enumerate(bad_requests(count), 1):
            message = send(client, bad, met)
            wrong += [message] if message else []
            if number % (count // 10) == 0:
                memory.append(process.memory_info().rss)
                print(f"{number} in {time.monotonic() - began:.0f} s: {memory[-1] // 2**20} MiB", flush=True)
    print(f"answers by status: {dict(sorted(met.items()))}")
    return wrong, memory


if __name__ == "__main__":
    raise SystemExit(main())
