"""Commands of the documentation, run as they are written, though the service under test listens elsewhere."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

WRITTEN = "127.0.0.1:8000"  # where the documentation has the service


def environment(home: Path, url: str) -> Mapping[str, str]:
    """Variables with which curl asks the service at a URL instead, and with this environment's programs first."""
    request = httpx.URL(url)
    (home / ".curlrc").write_text(f'connect-to = "{WRITTEN}:{request.host}:{request.port}"\n')
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SALIENCE_")}
    return {**inherited, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run commands in a folder; each must succeed. Returns their standard output."""
    argv = ["bash", "-eu", "-o", "pipefail", "-c", script]
    found = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
