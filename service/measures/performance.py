"""The names and the titles of the numbers of detection performance, in the order in which tables list them."""

from collections.abc import Mapping

APCER_LEVELS: Mapping[str, str] = {f"apcer_at_bpcer_{percent}": f"APCER at BPCER {percent} %" for percent in (1, 5, 10)}
PERFORMANCE: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "eer": "EER",
    "brier": "Brier score",
    "ece": "calibration error",
    **APCER_LEVELS,
}
