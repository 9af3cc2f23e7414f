"""Peak resident memory of an audit of many images over that of few: `python -m benchmarks.memory`.

Each audit runs in a process of its own, which tells its peak.
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
    """Print the ratio last; with --one, the peak of one audit in MiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobilenet_v3_small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, nargs=2, default=(200, 2000))
    parser.add_argument("--one", type=Path, help="a folder of pictures to audit in this process")
    given = parser.parse_args()
    if given.one:
        print(_peak(given.model, given.one, given.device))
        return
    peaks = []
    for count in given.images:
        with TemporaryDirectory() as folder:
            images = make_images(Path(folder, "pictures"), count)
            argv = [sys.executable, "-m", "benchmarks.memory", "--model", given.model, "--device", given.device]
            message = subprocess.run([*argv, "--one", images], check=True, capture_output=True, text=True)
            peaks.append(float(message.stdout))
    few, many = given.images
    print(f"peak of {few} images {peaks[0]:.0f} MiB, of {many} {peaks[1]:.0f} MiB, ratio {peaks[1] / peaks[0]:.3f}")


def _peak(model: str, images: Path, device: str) -> float:
    with TemporaryDirectory() as folder:
        make_model(model, Path(folder, "m.pth"))
        body = make_spec(model, Path(folder, "m.pth"), images)
        body["cohorts"][0]["model"]["preprocessing"] = {"size": [64, 64]}  # what grows with the images does not mind
        audit_seconds(JobSpec.model_validate(body), device)
    image_set = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in image_set) / 1024


if __name__ == "__main__":
    main()
