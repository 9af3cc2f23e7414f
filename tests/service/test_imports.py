import subprocess
import sys

import pytest


def loaded(module: str, *names: str) -> list[str]:
    """Import a module in a new interpreter. Returns which of the modules `names` the import has loaded."""
    code = f"import sys, {module}; print(*(name for name in {names} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.split()


@pytest.mark.parametrize("module", ["service.main", "service.commands.serve"])
def test_the_api_loads_without_torch_and_without_the_worker(module: str) -> None:
    assert loaded(module, "torch", "torchvision", "worker") == []


@pytest.mark.parametrize("module", ["service.cli", "service.commands.jobs"])
def test_commands_of_the_client_load_without_numpy_and_pillow(module: str) -> None:
    assert loaded(module, "torch", "torchvision", "worker", "numpy", "PIL") == []


def test_the_workers_commands_load_torch_only_when_they_run() -> None:
    assert loaded("worker.commands", "torch") == []
