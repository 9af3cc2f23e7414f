"""Finds a Chromium for the browser tests; `python -m tests.support.chromium` installs one if there is none.

The installation needs root and a Debian system.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "The browser tests need Chromium, and there is none. Run `apt-get install chromium` as root, "
    "or set CHROMIUM=/path/to/chromium."
)


def find() -> str | None:
    """Return the path in the environment variable CHROMIUM, or else that of the first Chromium on the PATH, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


def install() -> None:
    """Install Debian's Chromium with apt, as root. Raises CalledProcessError."""
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], env=environment, check=True)
    subprocess.run([*apt, "install", "--yes", "--no-install-recommends", "chromium"], env=environment, check=True)


def main() -> int:
    """Install Chromium if there is none. Returns the exit status."""
    if find() is None and os.getuid() == 0 and shutil.which("apt-get"):
        install()
    if find() is None:
        print(MISSING, file=sys.stderr)  # noqa: T201  # for the person who runs the tests
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
