import subprocess
import sys

import pytest

SCIENCE = ("torch", "torchvision", "numpy", "PIL", "worker")


@pytest.mark.parametrize("module", ["service.main", "service.cli", "service.commands.serve", "service.commands.jobs"])
def test_the_api_loads_without_the_science(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {SCIENCE} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_workers_commands_load_torch_only_when_they_run() -> None:
    code = "import sys, worker.commands; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
