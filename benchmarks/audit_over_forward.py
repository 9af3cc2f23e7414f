"""Time of an audit over the time of its bare forward passes: `python -m benchmarks.audit_over_forward --model NAME`.

The audit reads image files and ends when its summary is stored. It makes 22 forward passes per image; the comparison
makes the same number of passes in another process: eager, float32 and contiguous, at the fastest of the batch sizes 1,
4, 8, 16 and 32. The benchmark times both several times in turn, and compares the minimum of each.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.material import make_images, make_model, make_spec
from service.domain.job import JobState
from service.spec.model import JobSpec
from worker.local import local_audit
from worker.settings import WorkerSettings


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50", help="a torchvision classifier")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--images",
        type=int,
        default=128,
        help="number of images; with few, the start of the audit takes a large share of the time",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        make_model(arguments.model, Path(folder, "m.pth"))
        images = make_images(Path(folder, "images"), arguments.images)
        body = make_spec(arguments.model, Path(folder, "m.pth"), images, precision=arguments.precision)
        spec = JobSpec.model_validate(body)
        passes = arguments.images * spec.passes()
        bare, whole = [], []
        for _ in range(arguments.rounds):
            bare.append(_forward(arguments.model, arguments.device) * passes)
            whole.append(audit_seconds(spec, arguments.device))
    print(
        f"{arguments.model} on {arguments.device}, {arguments.precision}: {passes} passes, bare {min(bare):.2f} s, "
        f"audit {min(whole):.2f} s ({passes / min(whole):.1f} passes/s), ratio {min(whole) / min(bare):.3f}"
    )


def _forward(model: str, device: str) -> float:
    """Return the seconds of a bare forward pass per image."""
    argv = [sys.executable, "-m", "benchmarks.bare_forward", "--model", model, "--device", device]
    return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def audit_seconds(spec: JobSpec, device: str) -> float:
    """Return the seconds of an audit after planning, which loads the model."""
    with local_audit(spec, WorkerSettings(device=device)) as prepared:
        prepared.plan()
        seconds = _timed(prepared.run)
        assert prepared.job_state().state is JobState.SUCCEEDED, prepared.job_state().error
    return seconds


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
