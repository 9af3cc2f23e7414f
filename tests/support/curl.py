"""Runs commands of the documentation unchanged, and lets curl connect to the port of the service under test."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

WRITTEN = "127.0.0.1:8000"  # the address of the service in the documentation


def environment(home: Path, url: str) -> Mapping[str, str]:
    """Return environment variables that make curl connect to `url`, and that put this environment first on the PATH."""
    request = httpx.URL(url)
    (home / ".curlrc").write_text(f'connect-to = "{WRITTEN}:{request.host}:{request.port}"\n')
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SALIENCE_")}
    return {**inherited, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run commands in a folder and check that each succeeds. Returns their standard output."""
    argv = ["bash", "-eu", "-o", "pipefail", "-c", script]
    found = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
