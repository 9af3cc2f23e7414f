import pytest

from service.errors import InputRefused
from service.spec import Outputs
from worker.labels import class_numbers


def test_labels_count_as_they_sort_as_torchvisions_folders_do() -> None:
    assert class_numbers(["synthetic", "real", "real"], None, 2) == {"real": 0, "synthetic": 1}


def test_whole_numbers_are_the_classes_themselves() -> None:
    assert class_numbers(["7", "0", "12"], None, 20) == {"0": 0, "7": 7, "12": 12}


def test_the_specs_names_and_order_say_which_logit_is_which_class() -> None:
    names, order = Outputs(names=("synthetic", "real", "other")), Outputs(order=(1, 0))
    assert class_numbers(["real", "synthetic"], names, 3) == {"real": 1, "synthetic": 0}
    assert class_numbers(["real", "synthetic"], order, 2) == {"real": 1, "synthetic": 0}


@pytest.mark.parametrize(
    ("labels", "outputs", "told"),
    [
        (["a", "b", "c"], None, "3 labels"),
        (["0", "5"], None, "beyond"),
        (["a", "b"], Outputs(names=("a", "c")), "names"),
        (["a", "b"], Outputs(order=(0,)), "1 entries for 2 labels"),
        (["a", "b"], Outputs(order=(0, 9)), "beyond"),
    ],
)
def test_labels_that_fit_no_class_are_refused(labels: list[str], outputs: Outputs | None, told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        class_numbers(labels, outputs, 2)
