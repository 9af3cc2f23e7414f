"""Maps the images' labels to the model's classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.errors import ImagesRefused, ModelRefused
from service.spec.cohort import Outputs


@dataclass(frozen=True)
class ClassLabels:
    """The class number of each label; `by` names the source of this mapping."""

    numbers: dict[str, int]
    by: str


def class_numbers(
    labels: Iterable[str], outputs: Outputs | None, classes: int, own: Sequence[str] | None = None
) -> ClassLabels:
    """Return the class number of each label.

    The first source that applies is used: the spec's names or order, the model's own names, labels that are whole
    numbers, and last the labels' sorted order. Raises ImagesRefused or ModelRefused if the labels do not fit.
    """
    names = sorted(set(labels))
    chosen = _choose(names, outputs, own)
    if len(names) > classes and max(chosen.numbers.values()) >= classes:
        raise ImagesRefused(
            reason=f"the images have {len(names)} labels ({_first_names(names)}), but the model has {classes} classes"
        )
    beyond = {name: number for name, number in chosen.numbers.items() if number >= classes}
    if beyond:
        raise ModelRefused(reason=f"labels {beyond} are beyond the model's {classes} classes; check model.outputs")
    return chosen


def attack_class(outputs: Outputs | None, classes: int, numbers: Mapping[str, int]) -> int | None:
    """Return the number of the attack class, by default 1; None for a model of more than two classes.

    `numbers` has the class of each label. Raises ModelRefused if the spec names an attack class that does not exist.
    """
    label = outputs.attack_class if outputs else None
    if label is None:
        return 1 if classes == 2 else None
    if classes != 2:
        reason = f"the model has {classes} classes, and an attack class is one of two; remove attack_class"
        raise ModelRefused(model_field="outputs.attack_class", reason=reason)
    if label not in numbers:
        reason = f"{label!r} is no label of the images; they have {_first_names(sorted(numbers)) or 'none'}"
        raise ModelRefused(model_field="outputs.attack_class", reason=reason)
    return numbers[label]


def _choose(names: list[str], outputs: Outputs | None, own: Sequence[str] | None) -> ClassLabels:
    if outputs and outputs.names is not None:
        unknown = [name for name in names if name not in outputs.names]
        if unknown:
            raise ImagesRefused(
                model_field="outputs.names", reason=f"labels {_first_names(unknown)} are not in model.outputs.names"
            )
        return ClassLabels({name: outputs.names.index(name) for name in names}, "model.outputs.names")
    if outputs and outputs.order is not None:
        if len(outputs.order) != len(names):
            raise ImagesRefused(
                model_field="outputs.order",
                reason=f"model.outputs.order has {len(outputs.order)} entries for {len(names)} labels",
            )
        return ClassLabels(dict(zip(names, outputs.order, strict=True)), "model.outputs.order")
    if own and all(name in own for name in names):
        return ClassLabels({name: own.index(name) for name in names}, "the model's own names")
    if names and all(name.isascii() and name.isdigit() for name in names):
        return ClassLabels({name: int(name) for name in names}, "numbers as they are")
    if own:
        unknown = [name for name in names if name not in own]
        raise ImagesRefused(
            reason=f"labels {_first_names(unknown)} are not among the model's own names ({_first_names(list(own))}); "
            "rename them, or give the class of each label in model.outputs.order"
        )
    return ClassLabels({name: number for number, name in enumerate(names)}, "sorted order")


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
