"""The experiment's command: `python examples/experiment/run.py [--quick] [--json FILE]`; `--help` tells more."""

import sys
from pathlib import Path

# Started by its path, it finds the repository's packages here, and not its own folder's modules.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from examples.experiment.command import main  # noqa: E402  # only now can it be found

if __name__ == "__main__":
    main()
