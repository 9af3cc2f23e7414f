import subprocess
import sys
from pathlib import Path

from service.queue import parent_death as tether
from tests.support.processes import await_death, is_alive

CODE = """
import subprocess, sys, time
from service.queue import parent_death as tether
child = subprocess.Popen(tether.command(["sleep", "1000"]))
time.sleep(0.5)
print(child.pid, flush=True)
time.sleep(1000)
"""


def test_a_tethered_command_dies_with_its_parent_even_by_force() -> None:
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert await_death({child}) == set()


def test_a_command_whose_parent_has_gone_does_not_start() -> None:
    argv = [sys.executable, "-m", "service.queue.parent_death", "1", "echo", "started"]
    found = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_modules_of_the_folder_where_a_command_starts_are_not_seen(tmp_path: Path) -> None:
    for name in ("ctypes", "json", "service"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('ran')")
    argv = tether.command(tether.python_command("json.tool", "--help"))
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 0
