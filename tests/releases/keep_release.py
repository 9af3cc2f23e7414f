"""Store a release for the tests: `python -m tests.releases.keep_release TAG`. The new zip replaces the old one."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def stored_release() -> Path:
    """Return the path of the zip that holds the stored release."""
    (found,) = HERE.glob("*.zip")
    return found


def store_release(tag: str) -> None:
    """Store the service at a tag or commit in a zip beside this file."""
    archive = HERE / f"{tag}.zip"
    made = subprocess.run(
        ["git", "archive", "--format=zip", "-9", tag, "service", "migrations"], capture_output=True, check=True
    )
    for before in HERE.glob("*.zip"):
        before.unlink()
    archive.write_bytes(made.stdout)


if __name__ == "__main__":
    store_release(sys.argv[1])
