import pytest

from service.errors import InputRefused
from service.spec.cohort import Outputs
from worker.planning.class_labels import class_numbers


def test_labels_count_as_they_sort_as_torchvisions_folders_do() -> None:
    assert class_numbers(["synthetic", "real", "real"], None, 2).numbers == {"real": 0, "synthetic": 1}


def test_whole_numbers_are_the_classes_themselves() -> None:
    assert class_numbers(["7", "0", "12"], None, 20).numbers == {"0": 0, "7": 7, "12": 12}


def test_the_specs_names_and_order_say_which_logit_is_which_class() -> None:
    names, order = Outputs(names=("synthetic", "real", "other")), Outputs(order=(1, 0))
    assert class_numbers(["real", "synthetic"], names, 3).numbers == {"real": 1, "synthetic": 0}
    assert class_numbers(["real", "synthetic"], order, 2).numbers == {"real": 1, "synthetic": 0}


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


def test_the_models_own_names_come_before_the_order_of_sorting_and_the_way_is_told() -> None:
    own = ("synthetic", "real")
    found = class_numbers(["real", "synthetic"], None, 2, own)
    assert (found.numbers, found.by) == ({"real": 1, "synthetic": 0}, "the model's own names")
    assert class_numbers(["real", "synthetic"], Outputs(order=(0, 1)), 2, own).by == "model.outputs.order"
    assert class_numbers(["1", "0"], None, 2, own).by == "numbers as they are"
    assert class_numbers(["real", "synthetic"], None, 2).by == "sorted order"


def test_labels_that_a_model_with_names_does_not_know_are_refused() -> None:
    with pytest.raises(InputRefused, match=r"fake.*own names"):
        class_numbers(["fake", "real"], None, 2, ("synthetic", "real"))
