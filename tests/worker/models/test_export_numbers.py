"""The numbers by which torch.export archives name dtypes and layouts, compared with those of the installed torch."""

import subprocess
import sys

import pytest
from torch._export.serde import serialize

from worker.models import torch_internals


@pytest.mark.parametrize("table", ["DTYPES", "LAYOUTS", "MEMORY_FORMATS"])
def test_the_numbers_of_dtypes_and_layouts_are_those_of_the_installed_torch(table: str) -> None:
    """If this test fails, torch has changed its numbers: copy torch's table into worker/models/torch_internals.py."""
    of_torch = getattr(serialize, f"_SERIALIZE_TO_TORCH_{table.removesuffix('S')}")
    assert getattr(torch_internals, table) == of_torch


def test_starting_a_worker_does_not_import_torchs_compiler() -> None:
    """The compiler takes as long to load as torch itself, and every model sandbox would load it."""
    code = "import sys, worker.runner, worker.models.sandbox_process; print('torch._dynamo' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
