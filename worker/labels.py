"""From label names to the model's classes."""

from collections.abc import Iterable

from service.errors import ImagesRefused, ModelRefused
from service.spec import Outputs


def class_numbers(labels: Iterable[str], outputs: Outputs | None, classes: int) -> dict[str, int]:
    """The class of each label: by the spec's names or order, else whole numbers as they are, else as they sort.

    Raises ImagesRefused or ModelRefused where they cannot be told apart.
    """
    names = sorted(set(labels))
    chosen = _choose(names, outputs)
    if len(names) > classes and max(chosen.values()) >= classes:
        raise ImagesRefused(
            reason=f"the images have {len(names)} labels ({_few(names)}), and the model {classes} classes"
        )
    beyond = {name: number for name, number in chosen.items() if number >= classes}
    if beyond:
        raise ModelRefused(reason=f"labels {beyond} point beyond the model's {classes} classes; see model.outputs")
    return chosen


def _choose(names: list[str], outputs: Outputs | None) -> dict[str, int]:
    if outputs and outputs.names is not None:
        unknown = [name for name in names if name not in outputs.names]
        if unknown:
            raise ImagesRefused(reason=f"labels {_few(unknown)} are not in model.outputs.names")
        return {name: outputs.names.index(name) for name in names}
    if outputs and outputs.order is not None:
        if len(outputs.order) != len(names):
            raise ImagesRefused(reason=f"model.outputs.order has {len(outputs.order)} entries for {len(names)} labels")
        return dict(zip(names, outputs.order, strict=True))
    if names and all(name.isascii() and name.isdigit() for name in names):
        return {name: int(name) for name in names}
    return {name: number for number, name in enumerate(names)}


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
