"""Memory of the API under ten thousand bad requests.

    python -m benchmarks.bad_requests

Starts the embedded service, sends invalid requests of every known kind, and then a valid job. Prints the memory of the
API after a tenth of the requests and after all, and their ratio. The exit status is 0 if the ratio is below 1.05, no
response is a 5xx or contains paths or code, no log line contains a traceback or a secret, and the job succeeds.
"""

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from tests.support.bad_requests import SECRET, bad_requests, send
from tests.support.jobs import make_audit_inputs
from tests.support.processes import Installation


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name:
        folder = Path(name)
        installation = Installation.make(folder, log_format="json")
        with installation.serve() as api:
            wrong, memory = send_all(installation, api.pid, arguments.count)
            job = installation.run("submit", installation.write_spec(make_audit_inputs(folder).body())).strip()
            installation.run("wait", job)
        log = (folder / "log.txt").read_text()
    for each in wrong[:5]:
        print(each)
    ratio, sizes = memory[-1] / memory[0], [size // 2**20 for size in memory]
    found = f"{log.count('Traceback')} tracebacks, {log.count(SECRET)} secrets in the log"
    print(f"{arguments.count} bad requests, {len(wrong)} wrong responses; {found}; MiB {sizes}; ratio {ratio:.3f}")
    return 0 if not wrong and "Traceback" not in log and SECRET not in log and ratio < 1.05 else 1


def send_all(installation: Installation, pid: int, count: int) -> tuple[list[str], list[int]]:
    """Send `count` bad requests. Returns the wrong responses, and the API's memory in bytes after each tenth."""
    process, wrong, memory, start = psutil.Process(pid), [], [], time.monotonic()
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=installation.url, timeout=60) as client:
        for number, bad in enumerate(bad_requests(count), 1):
            problem = send(client, bad, statuses)
            wrong += [problem] if problem else []
            if number % (count // 10) == 0:
                memory.append(process.memory_info().rss)
                print(f"{number} in {time.monotonic() - start:.0f} s: {memory[-1] // 2**20} MiB", flush=True)
    print(f"responses by status: {dict(sorted(statuses.items()))}")
    return wrong, memory


if __name__ == "__main__":
    raise SystemExit(main())
