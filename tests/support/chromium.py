"""The browser of the tests: `python -m tests.support.chromium` sees to it that there is one.

Any that is there already will do; else, as root, Debian's is installed.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "The tests of the pages need a Chromium, and there is none. As root: apt-get install chromium; "
    "or name one of your own in the environment: CHROMIUM=/path/to/chromium."
)


def find() -> str | None:
    """The path of a Chromium, the one in the environment before others."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


def install() -> None:
    """Install Debian's, which takes root and apt. Raises CalledProcessError."""
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], env=environment, check=True)
    subprocess.run([*apt, "install", "--yes", "--no-install-recommends", "chromium"], env=environment, check=True)


def main() -> int:
    """Returns the exit status."""
    if find() is None and os.getuid() == 0 and shutil.which("apt-get"):
        install()
    if find() is None:
        print(MISSING, file=sys.stderr)  # noqa: T201  # to whoever runs the tests
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
