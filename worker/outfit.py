"""What a worker works with, from its settings."""

from collections.abc import Sequence
from pathlib import Path

from service.settings import WorkerSettings
from worker.devices import choose_device, processes_for
from worker.fetching.places import Places
from worker.measuring import Means
from worker.trying import limits_of


def means_of(settings: WorkerSettings, index: int, roots: Sequence[Path]) -> Means:
    """The means of this machine's process number `index`; files may lie under the roots."""
    device = choose_device(settings.device, index)
    processes = processes_for(settings.device, settings.processes)
    return Means.on(device, Places.of(settings, roots), settings.batch_size, limits_of(settings), processes)
