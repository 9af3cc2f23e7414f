import subprocess
import sys
import time
from pathlib import Path

CODE = """
import subprocess, sys, time
from service import tether
child = subprocess.Popen(tether.command(["sleep", "1000"]))
time.sleep(0.5)
print(child.pid, flush=True)
time.sleep(1000)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_tethered_command_dies_with_its_parent_even_by_force() -> None:
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    end = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(child)


def test_a_command_whose_parent_has_gone_does_not_start() -> None:
    argv = [sys.executable, "-m", "service.tether", "1", "echo", "started"]
    found = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
