"""`python -m examples.demo`: the quick experiment. It trains two cohorts, audits them and prints the results."""

import json
import sys
import time
from pathlib import Path

from rich.console import Console

from examples.experiment.auditing import audit, make_spec
from examples.experiment.cohorts import PAIR, QUICK, make_cohorts
from service.commands.results_table import print_results
from service.errors import SalienceError

HOME = Path(".demo").resolve()

console = Console(soft_wrap=True)


def main() -> int:
    """Run the demo. Returns its exit status."""
    start = time.monotonic()
    make_cohorts(HOME, QUICK, PAIR, console.print)
    console.print(f"Auditing {QUICK.audited} images with {len(PAIR) * QUICK.runs} models over HTTP ...")
    results = audit(HOME, make_spec(HOME, PAIR, QUICK.runs))
    (HOME / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print_results(results)
    _print_locations(results["job"], time.monotonic() - start)
    return 0


def _print_locations(job: str, seconds: float) -> None:
    console.print(f"Done in {seconds:.0f} s. The results are in {HOME / 'results.json'} and in the service:")
    console.print(f"  SALIENCE_DATA_DIR={HOME / 'data'} {Path(sys.executable).parent / 'salience'} serve &")
    console.print(f"  curl http://127.0.0.1:8000/v1/jobs/{job}/results")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except SalienceError as error:
        sys.exit(f"Error: {error}")
