import pytest

from service.errors import InputRefused, ModelRefused
from service.spec.cohort import Outputs
from worker.planning.class_labels import attack_class, class_numbers


def test_labels_are_numbered_in_sorted_order_like_torchvisions_folders() -> None:
    assert class_numbers(["synthetic", "real", "real"], None, 2).numbers == {"real": 0, "synthetic": 1}


def test_labels_that_are_whole_numbers_are_class_numbers() -> None:
    assert class_numbers(["7", "0", "12"], None, 20).numbers == {"0": 0, "7": 7, "12": 12}


def test_the_names_or_the_order_in_the_spec_give_the_class_of_each_label() -> None:
    names, order = Outputs(names=("synthetic", "real", "other")), Outputs(order=(1, 0))
    assert class_numbers(["real", "synthetic"], names, 3).numbers == {"real": 1, "synthetic": 0}
    assert class_numbers(["real", "synthetic"], order, 2).numbers == {"real": 1, "synthetic": 0}


@pytest.mark.parametrize(
    ("labels", "outputs", "message"),
    [
        (["a", "b", "c"], None, "3 labels"),
        (["0", "5"], None, "beyond"),
        (["a", "b"], Outputs(names=("a", "c")), "names"),
        (["a", "b"], Outputs(order=(0,)), "1 entries for 2 labels"),
        (["a", "b"], Outputs(order=(0, 9)), "beyond"),
    ],
)
def test_labels_that_do_not_fit_the_classes_are_refused(
    labels: list[str], outputs: Outputs | None, message: str
) -> None:
    with pytest.raises(InputRefused, match=message):
        class_numbers(labels, outputs, 2)


def test_the_models_own_class_names_take_precedence_over_the_sorted_order_of_labels() -> None:
    own = ("synthetic", "real")
    found = class_numbers(["real", "synthetic"], None, 2, own)
    assert (found.numbers, found.by) == ({"real": 1, "synthetic": 0}, "the model's own names")
    assert class_numbers(["real", "synthetic"], Outputs(order=(0, 1)), 2, own).by == "model.outputs.order"
    assert class_numbers(["1", "0"], None, 2, own).by == "numbers as they are"
    assert class_numbers(["real", "synthetic"], None, 2).by == "sorted order"


def test_labels_that_are_not_among_the_models_own_class_names_are_refused() -> None:
    with pytest.raises(InputRefused, match=r"fake.*own names"):
        class_numbers(["fake", "real"], None, 2, ("synthetic", "real"))


def test_the_second_class_is_the_attack_class_unless_the_spec_names_another() -> None:
    numbers = {"real": 0, "synthetic": 1}
    assert attack_class(None, 2, numbers) == attack_class(Outputs(), 2, {}) == 1
    assert attack_class(Outputs(attack_class="real"), 2, numbers) == 0
    assert attack_class(Outputs(), 3, numbers) is None


@pytest.mark.parametrize(
    ("label", "classes", "message"), [("fake", 2, "'fake' is no label of the images"), ("real", 3, "3 classes")]
)
def test_an_attack_class_that_does_not_exist_is_refused(label: str, classes: int, message: str) -> None:
    with pytest.raises(ModelRefused, match=message):
        attack_class(Outputs(attack_class=label), classes, {"real": 0, "synthetic": 1})
