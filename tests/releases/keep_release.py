"""Keep a release for the tests: `python -m tests.releases.keep_release TAG`, once it is out. Replaces the last one."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def kept() -> Path:
    """The release that is kept."""
    (found,) = HERE.glob("*.zip")
    return found


def keep(tag: str) -> None:
    """Put the service, as it was at a tag or commit, into an archive beside this file."""
    archive = HERE / f"{tag}.zip"
    made = subprocess.run(
        ["git", "archive", "--format=zip", "-9", tag, "service", "migrations"], capture_output=True, check=True
    )
    for before in HERE.glob("*.zip"):
        before.unlink()
    archive.write_bytes(made.stdout)


if __name__ == "__main__":
    keep(sys.argv[1])
