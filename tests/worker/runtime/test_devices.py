import pytest
import torch

from service.errors import SettingsInvalid
from worker.runtime.devices import choose_device, device_name, processes_for, share_cores


def test_auto_assigns_gpus_in_turn_and_falls_back_to_the_cpu() -> None:
    count = torch.cuda.device_count()
    chosen = [choose_device("auto", process) for process in range(3)]
    assert chosen == [torch.device("cuda", n % count) if count else torch.device("cpu") for n in range(3)]


def test_results_have_a_name_for_each_device() -> None:
    assert device_name(choose_device("cpu", 0)) == "cpu"


def test_a_cpu_has_one_process_per_core_by_default() -> None:
    assert processes_for("cpu", None) == min(torch.get_num_threads(), 8)
    assert processes_for("cpu", 3) == 3


@pytest.mark.parametrize(("device", "processes"), [("cpu", 1), ("cuda", 100)])
def test_processes_share_the_cores_but_use_one_thread_each_on_a_cpu(device: str, processes: int) -> None:
    share_cores(torch.device(device), processes)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("setting", ["cuda:99", "toaster"])
def test_a_device_that_does_not_exist_is_an_error(setting: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"SALIENCE_DEVICE={setting}"):
        choose_device(setting, 0)
    with pytest.raises(SettingsInvalid, match=f"SALIENCE_DEVICE={setting}"):
        processes_for(setting, 3)
