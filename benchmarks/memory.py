"""Divides the peak memory of an audit of many images by that of few images: `python -m benchmarks.memory`.

Each audit runs in a process of its own, which prints its peak.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.audit_over_forward import audit_seconds
from benchmarks.material import make_images, make_model, make_spec
from service.spec.model import JobSpec


def main() -> None:
    """Print the peaks and their ratio; with --one, the peak of one audit in MiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobilenet_v3_small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, nargs=2, default=(200, 2000))
    parser.add_argument("--one", type=Path, help="a folder of images to audit in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(_peak(arguments.model, arguments.one, arguments.device))
        return
    peaks = []
    for count in arguments.images:
        with TemporaryDirectory() as folder:
            images = make_images(Path(folder, "images"), count)
            argv = [sys.executable, "-m", "benchmarks.memory", "--model", arguments.model, "--device", arguments.device]
            ended = subprocess.run([*argv, "--one", images], check=True, capture_output=True, text=True)
            peaks.append(float(ended.stdout))
    few, many = arguments.images
    print(f"peak of {few} images {peaks[0]:.0f} MiB, of {many} {peaks[1]:.0f} MiB, ratio {peaks[1] / peaks[0]:.3f}")


def _peak(model: str, images: Path, device: str) -> float:
    with TemporaryDirectory() as folder:
        make_model(model, Path(folder, "m.pth"))
        body = make_spec(model, Path(folder, "m.pth"), images)
        body["cohorts"][0]["model"]["preprocessing"] = {
            "size": [64, 64]
        }  # small images, since only their number matters
        audit_seconds(JobSpec.model_validate(body), device)
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in processes) / 1024


if __name__ == "__main__":
    main()
