import subprocess
import sys

import pytest

SCIENCE = ("torch", "torchvision", "numpy", "PIL", "worker")


@pytest.mark.parametrize("module", ["service.main", "service.cli", "service.commands.serve", "service.commands.jobs"])
def test_the_api_does_not_import_torch_numpy_or_the_worker(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {SCIENCE} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_worker_commands_import_torch_only_when_they_run() -> None:
    code = "import sys, worker.commands; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
