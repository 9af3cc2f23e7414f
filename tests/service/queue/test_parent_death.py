import subprocess
import sys
from pathlib import Path

from service.queue import parent_death
from tests.support.processes import await_death, is_alive

CODE = """
import subprocess, sys, time
from service.queue import parent_death
child = subprocess.Popen(parent_death.command(["sleep", "1000"]))
time.sleep(0.5)
print(child.pid, flush=True)
time.sleep(1000)
"""


def test_a_command_dies_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert await_death({child}) == set()


def test_a_command_whose_parent_is_dead_does_not_start() -> None:
    argv = [sys.executable, "-m", "service.queue.parent_death", "1", "echo", "started"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    for name in ("ctypes", "json", "service"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('ran')")
    argv = parent_death.command(parent_death.python_command("json.tool", "--help"))
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 0
