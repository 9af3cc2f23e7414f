"""Runs the experiment: `python examples/experiment/run.py [--quick] [--json FILE]`. `--help` lists all options."""

import sys
from pathlib import Path

# Python puts the folder of the script first on sys.path; replace it by the repository, which contains the packages.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from examples.experiment.command import main  # noqa: E402  # the import needs the path above

if __name__ == "__main__":
    main()
