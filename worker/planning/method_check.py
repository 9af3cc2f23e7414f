"""Checks that the models of a cohort support the salience method and agree with each other."""

from service.errors import ModelRefused
from worker.models.classifier import Classifier
from worker.salience.cam import NEEDS_GRADIENTS, NEEDS_LAYER, NEEDS_LINEAR_HEAD


def check_agreement(method: str, path: str, run: Classifier, first: Classifier) -> None:
    """Raise ModelRefused if a run's number of classes or map size differs from that of its cohort's first run."""
    facts: list[tuple[str, object, object]] = [
        ("a number of classes of", run.head.classes, first.head.classes),
        ("a map size of", map_size(method, run), map_size(method, first)),
    ]
    for name, own, wanted in facts:
        if own != wanted:
            raise ModelRefused(
                reason=f"{path} has {name} {own}, but its cohort's first run has {wanted}; move it to a separate cohort"
            )


def map_size(method: str, run: Classifier) -> list[int]:
    """Return the height and width of the native maps, in pixels."""
    return list(run.layer.shape[2:] if method in NEEDS_LAYER and run.layer else run.preprocessing.size)


def check_method(method: str, path: str, run: Classifier) -> None:
    """Raise ModelRefused if a run has no gradients, feature map or linear head, and the method needs one."""
    message = ""
    if method in NEEDS_GRADIENTS and not run.differentiable:
        message = f"has no gradients, which {method} needs; use rise"
    elif method in NEEDS_LAYER and run.layer is None:
        message = (
            "has no layer with a feature map of more than one pixel that can be differentiated, "
            f"which {method} needs; use saliency, integrated_gradients or rise"
        )
    elif method in NEEDS_LINEAR_HEAD and run.head.tail is None:
        name = run.layer.name if run.layer else ""
        message = f"has no linear layer over pooled {name!r}, which {method} needs; use gradcam"
    if message:
        raise ModelRefused(field="salience.method", reason=f"{path} {message}")
