"""CPU time of an audit over that of the same audit by an earlier version: `python -m benchmarks.audit_over_earlier`.

`--earlier` is a folder with the earlier source, for example from `git archive COMMIT | tar x -C FOLDER`. Both versions
audit the same images in turn, each in a process of its own, and the minimum of each counts. CPU time after planning is
compared, since other work on the machine changes it less than the time on the clock.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.material import make_images, make_model, make_spec

HERE = Path(__file__).resolve().parents[1]
AUDIT = """
import json, os, sys
from service.domain.job import JobState
from service.spec.model import JobSpec
from worker.local import local_audit
from worker.settings import WorkerSettings

with local_audit(JobSpec.model_validate(json.loads(sys.argv[1])), WorkerSettings(device="cpu")) as prepared:
    prepared.plan()
    start = os.times()
    job = prepared.run()
    assert job.state is JobState.SUCCEEDED, job.error
    print(sum(os.times()[:4]) - sum(start[:4]))  # user and system time, of children too
"""


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=Path, required=True)
    parser.add_argument("--model", default="mobilenet_v3_small", help="a torchvision classifier")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--labels", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        make_model(arguments.model, Path(folder, "m.pth"))
        images = _labelled(Path(folder, "images"), arguments.images, arguments.labels)
        spec = make_spec(arguments.model, Path(folder, "m.pth"), images)
        versions = (arguments.earlier.resolve(), HERE)
        rounds = [[_seconds(version, spec) for version in versions] for _ in range(arguments.rounds)]
    before, now = (min(times) for times in zip(*rounds, strict=True))
    print(
        f"{arguments.model}, {arguments.images} images of {arguments.labels} labels: earlier {before:.2f} s, "
        f"now {now:.2f} s, ratio {now / before:.3f}"
    )


def _labelled(folder: Path, count: int, labels: int) -> Path:
    """Make images and move them into one folder for each label."""
    for number, path in enumerate(sorted(make_images(folder, count).glob("*.png"))):
        label = folder / f"label-{number % labels}"
        label.mkdir(exist_ok=True)
        path.rename(label / path.name)
    return folder


def _seconds(version: Path, spec: dict[str, object]) -> float:
    """Return the CPU seconds of an audit by the source in a folder."""
    argv = [sys.executable, "-W", "ignore", "-c", AUDIT, json.dumps(spec)]
    env = {**os.environ, "PYTHONPATH": str(version)}
    found = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=version, env=env)
    return float(found.stdout)


if __name__ == "__main__":
    main()
